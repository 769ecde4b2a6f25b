package plba_test

import (
	"encoding/json"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulePath is the path of this module; a room is a directory in it.
const modulePath = "github.com/plba/plba"

// A room is a package together with its internal packages, or a whole tree if its name ends in "/...". Of this module it
// may import the rooms named and nothing else.
type room struct {
	name       string
	mayImport  []string
	standalone bool // imports nothing but the standard library
}

// below is what the runtime stands on besides the workers; face is what the root puts its thin names on.
var (
	below = []string{"task", "fsm", "health", "config", "logging", "tracing", "queue"}
	face  = append([]string{"workers", "runtime", "control", "openapi", "pipeline", "queue/memory"}, below...)
)

// rooms is the import table of the house. A package that is in no room is a fault: a new one gets its line here first.
var rooms = []room{
	{name: "task", standalone: true},
	{name: "task/encodable", standalone: true},
	{name: "fsm"},
	{name: "health", standalone: true},
	{name: "config"},
	{name: "logging"},
	{name: "openapi"},
	{name: "openapi/client", standalone: true},
	{name: "tracing", mayImport: []string{"fsm", "task"}},
	{name: "queue", mayImport: []string{"fsm", "task", "task/encodable"}},
	{name: "queue/memory", mayImport: []string{"fsm", "task", "queue"}},
	{name: "queue/postgres", mayImport: []string{"fsm", "task", "queue"}},
	{name: "queue/postgres/pgtest"},
	{name: "queue/sqlite", mayImport: []string{"task", "queue"}},
	{name: "queue/queuetest", mayImport: []string{"fsm", "task", "queue"}},
	{name: "pipeline", mayImport: []string{"task", "task/encodable"}},
	{name: "pipeline/modeltest", mayImport: []string{"task", "pipeline"}},
	{name: "pipeline/pipelinevet"},
	{name: "cmd/pipelinevet", mayImport: []string{"pipeline/pipelinevet"}},
	{name: "cmd/plba", mayImport: []string{"openapi/client", "config", "pipeline"}},
	{name: "workers", mayImport: []string{"task", "fsm", "queue", "tracing", "health"}},
	{name: "runtime", mayImport: append([]string{"workers"}, below...)},
	{name: "control", mayImport: append([]string{"workers", "runtime", "openapi", "pipeline"}, below...)},
	{name: "control/oidc", mayImport: []string{"config", "control"}},
	{name: ".", mayImport: face},
	{name: "plbatest", mayImport: append([]string{"."}, face...)},
	{name: "examples/...", mayImport: append([]string{".", "plbatest", "queue/sqlite", "queue/postgres", "queue/postgres/pgtest"}, face...)},
}

// keepers names the only rooms that may import a library which stands behind a boundary of ours: it can be replaced in
// one place, and its traps are known in one place (docs/adr). Tests are free.
var keepers = map[string][]string{
	"github.com/jackc/pgx":          {"queue/postgres", "queue/postgres/pgtest"},
	"github.com/looplab/fsm":        {"fsm"},
	"github.com/knadh/koanf":        {"config"},
	"github.com/fsnotify/fsnotify":  {"config"},
	"github.com/sourcegraph/conc":   {"workers", "pipeline"},
	"github.com/failsafe-go":        {"pipeline"},
	"github.com/robfig/cron":        {"workers"},
	"github.com/danielgtaylor/huma": {"control"},
	"github.com/spf13/cobra":        {"cmd/plba"},
	"golang.org/x/term":             {"cmd/plba"},
	"github.com/coreos/go-oidc":     {"control/oidc"},
	"go.opentelemetry.io/otel/sdk":  {"tracing"},
	"golang.org/x/tools":            {"pipeline/pipelinevet", "cmd/pipelinevet"},
	"modernc.org/sqlite":            {"queue/sqlite", "examples/..."},
	"github.com/gofrs/flock":        {"queue/sqlite"},
}

// domain lists the packages that hold business rules: boundary 1 is that they know nothing of the platform.
var domain = []string{
	"examples/mailorderbot/domain",
	"examples/mailorderbot/mailbox",
	"examples/mailorderbot/shop",
	"examples/pipelines/shop",
}

func TestImportTable(t *testing.T) {
	seen := map[string]int{}
	for _, p := range listPackages(t, "./...") {
		r, ok := roomOf(p.path())
		if !ok {
			t.Errorf("%s is in no room of the import table", p.ImportPath)
			continue
		}
		seen[r.name]++
		for _, imp := range p.Imports {
			checkImport(t, p, r, imp)
		}
	}
	for _, r := range rooms {
		if seen[r.name] == 0 {
			t.Errorf("room %s holds no package: the table is out of date, or the test looked at the wrong tree", r.name)
		}
	}
}

func checkImport(t *testing.T, p pkg, r room, imp string) {
	t.Helper()
	if path, ours := within(imp); ours {
		to, ok := roomOf(path)
		switch {
		case !ok:
			t.Errorf("%s imports %s, which is in no room", p.ImportPath, imp)
		case to.name != r.name && !slices.Contains(r.mayImport, to.name):
			t.Errorf("%s imports %s: room %s may import only %v", p.ImportPath, imp, r.name, r.mayImport)
		}
		return
	}
	if r.standalone && strings.Contains(strings.Split(imp, "/")[0], ".") {
		t.Errorf("%s imports %s: room %s uses the standard library only", p.ImportPath, imp, r.name)
	}
	for library, allowed := range keepers {
		if inModule(imp, library) && !slices.Contains(allowed, r.name) {
			t.Errorf("%s imports %s: only %v may", p.ImportPath, imp, allowed)
		}
	}
}

// An application that takes the default gets the default's weight: no database, no message broker.
func TestRootLinksOnlyTheMemoryEngine(t *testing.T) {
	var engines []string
	for _, p := range listPackages(t, "-deps", ".") {
		switch path, ours := within(p.ImportPath); {
		case ours && strings.HasPrefix(path, "queue/"):
			engines = append(engines, path)
		case ours && strings.HasPrefix(path, "examples/"), ours && path == "plbatest", p.ImportPath == "testing":
			t.Errorf("the root links %s, which belongs to tests and examples", p.ImportPath)
		case p.ImportPath == "database/sql", inModule(p.ImportPath, "modernc.org/sqlite"), inModule(p.ImportPath, "github.com/coreos/go-oidc"):
			t.Errorf("the root links %s, which main must bring if it wants it", p.ImportPath)
		}
	}
	if want := []string{"queue/memory"}; !slices.Equal(engines, want) {
		t.Errorf("the root links the engines %v, want %v", engines, want)
	}
}

func TestDomainKnowsNothingOfThePlatform(t *testing.T) {
	for _, d := range domain {
		found := false
		for _, p := range listPackages(t, "-deps", "./"+d) {
			path, ours := within(p.ImportPath)
			found = found || path == d
			if ours && !strings.HasPrefix(path, "examples/") {
				t.Errorf("%s depends on %s", d, p.ImportPath)
			}
		}
		if !found {
			t.Errorf("%s was not listed", d)
		}
	}
}

// What applications need is public. That an application of another module builds is shown by contract/outside; here: the
// examples, which the compiler would let into our internal packages, do not go there.
func TestExamplesUseOnlyWhatIsPublic(t *testing.T) {
	examples := 0
	for _, p := range listPackages(t, "./examples/...") {
		examples++
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			path, ours := within(imp)
			if ours && !strings.HasPrefix(path, "examples/") && strings.Contains("/"+path+"/", "/internal/") {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
	if examples < 2+len(domain) {
		t.Errorf("saw %d packages under examples, want quickstart, mailorderbot and its %d domain packages at least", examples, len(domain))
	}
}

// pkg is what `go list -json` tells of a package, as far as it is needed here.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func (p pkg) path() string { path, _ := within(p.ImportPath); return path }

// within gives the path of a package inside this module, "." for the root.
func within(importPath string) (path string, ours bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// inModule tells whether a package belongs to a module, whatever the module's major version.
func inModule(importPath, module string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// roomOf finds the room of a package: its own, the one its internal packages belong to, or the tree it is in.
func roomOf(path string) (room, bool) {
	owner, _, _ := strings.Cut("/"+path+"/", "/internal/")
	owner = strings.Trim(owner, "/")
	if owner == "" {
		owner = "."
	}
	for _, r := range rooms {
		tree, isTree := strings.CutSuffix(r.name, "...")
		if owner == r.name || isTree && strings.HasPrefix(owner, tree) {
			return r, true
		}
	}
	return room{}, false
}

func listPackages(t *testing.T, args ...string) []pkg {
	t.Helper()
	noteTree(t)
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...)
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, faults.String())
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
		list = append(list, p)
	}
	return list
}

// noteTree reads the directories of the module. The go command reuses the result of a test until something that the test
// itself looked at changes, and it does not see what `go list` looks at.
func noteTree(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

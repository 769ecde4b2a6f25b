package openapi_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/internal/demo"
	"github.com/plba/plba/openapi"
)

// A client made by a public generator of another language compiles, and talks to a running application. The test needs node, npm and the npm registry; without them it is skipped,
// unless PLBA_TEST_REQUIRE, a comma-separated list, contains "node". The versions are pinned by typescript/package-lock.json.
func TestClientInTypeScript(t *testing.T) {
	if testing.Short() {
		t.Skip("npm takes some seconds")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			without(t, "%v", err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("typescript")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openapi.json"), openapi.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := in(t, dir, nil, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
		without(t, "npm cannot install the generator: %v\n%s", err, out)
	}
	for _, step := range [][]string{{"openapi-typescript", "openapi.json", "-o", "api.ts", "--default-non-nullable=false"}, {"tsc", "-p", "."}} {
		if out, err := in(t, dir, nil, filepath.Join(dir, "node_modules", ".bin", step[0]), step[1:]...); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
	}
	a := demo.Start(t, nil)
	out, err := in(t, dir, []string{"PLBA_ADDRESS=" + a.HTTP, "PLBA_TOKEN=" + demo.Operator}, "node", "made/operate.js")
	const want = `email-processing (consume), mail-polling (poll)
pauseWorker succeeded operator typescript true
resumeWorker succeeded false
restartWorker succeeded drained
404 Not Found there is no worker "nobody" (there are: email-processing, mail-polling)
409 Conflict stopped
tasks 0
`
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant:\n%s", err, out, want)
	}
}

func without(t *testing.T, format string, args ...any) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("PLBA_TEST_REQUIRE"), ","), "node") {
		t.Fatalf("PLBA_TEST_REQUIRE: "+format, args...)
	}
	t.Skipf(format, args...)
}

func in(t *testing.T, dir string, variables []string, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), variables...)
	out, err := c.CombinedOutput()
	return string(out), err
}

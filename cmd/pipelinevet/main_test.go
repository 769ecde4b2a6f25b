package main_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// run runs a command at the root of the module, and gives what it writes and its exit code.
func run(t *testing.T, name string, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// tool builds the command.
func tool(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipelinevet.exe") // any system runs that
	if out, code := run(t, "go", "build", "-o", path, "./cmd/pipelinevet"); code != 0 {
		t.Fatal(out)
	}
	return path
}

func TestExamplesAreClean(t *testing.T) {
	noteFiles(t, "../../examples")
	if out, code := run(t, "go", "vet", "-vettool="+tool(t), "./examples/..."); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestBroken(t *testing.T) {
	path, pkg := tool(t), "./cmd/pipelinevet/testdata/broken"
	vet, code := run(t, "go", "vet", "-vettool="+path, pkg)
	if code != 1 {
		t.Errorf("go vet: exit code %d, want 1", code)
	}
	golden(t, "broken.txt", vet)

	direct, code := run(t, path, pkg)
	if code != 3 {
		t.Errorf("on its own: exit code %d, want 3", code)
	}
	for line := range strings.Lines(vet) { // on its own it writes absolute paths
		if !strings.HasPrefix(line, "#") && !strings.Contains(direct, line) {
			t.Errorf("on its own it does not say %sbut\n%s", line, direct)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := filepath.ToSlash(got); !bytes.Equal([]byte(got), want) {
		t.Errorf("%s differs (go test -update writes it anew)\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// noteFiles looks at the files that the commands read, so that the go command does not take the result of an earlier
// run for this one's when they have changed.
func noteFiles(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

package queue_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/plba/plba/queue"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStatesDrawing(t *testing.T) {
	for file, got := range map[string]string{"states.dot": queue.States().DOT(), "states.mmd": queue.States().Mermaid()} {
		path := filepath.Join("testdata", "golden", file)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s has changed; look at the difference, and if it is meant, run go test ./queue -update:\n%s", path, got)
		}
	}
}

func TestFinalStates(t *testing.T) {
	for _, s := range queue.States().States() {
		final := s == queue.StateDone
		if got := len(queue.States().Allowed(s)) == 0; got != final {
			t.Errorf("%s is final: %t", s, got)
		}
		ended := final || s == queue.StateDead || s == queue.StateCancelled
		if s.Living() == ended {
			t.Errorf("%s lives: %t", s, s.Living())
		}
	}
}

package control_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/plba/plba/control"
)

// The service does the same whichever way it is asked: every case below is run over HTTP and over the socket.
func TestServiceOverEveryChannel(t *testing.T) {
	ways := map[string]func(*testing.T, *plane, string) way{
		"http":   func(_ *testing.T, p *plane, _ string) way { return overHTTP{p} },
		"socket": func(t *testing.T, _ *plane, path string) way { return dialSocket(t, path) },
	}
	cases := 0
	for name, open := range ways {
		t.Run(name, func(t *testing.T) {
			for what, run := range serviceCases {
				cases++
				t.Run(what, func(t *testing.T) {
					settings := withTokens()
					path := filepath.Join(t.TempDir(), "control.sock")
					settings["platform.control.socket.path"] = path
					settings["platform.control.socket.role"] = "viewer"
					p := startPlane(t, settings)
					run(t, conversation{t, p, open(t, p, path)})
				})
			}
		})
	}
	if cases != len(ways)*len(serviceCases) || len(serviceCases) < 10 {
		t.Errorf("%d cases were run", cases)
	}
}

type conversation struct {
	t *testing.T
	p *plane
	way
}

// gets expects a result, and decodes it.
func gets[T any](c conversation, token, operation string, input map[string]any) (v T) {
	c.t.Helper()
	result, failed := c.ask(c.t, token, operation, input)
	if failed != nil {
		c.t.Fatalf("%s %v: %+v", operation, input, *failed)
	}
	if err := json.Unmarshal(result, &v); err != nil {
		c.t.Fatalf("%s: %v: %s", operation, err, result)
	}
	return v
}

// refused expects a refusal of that kind.
func (c conversation) refused(kind, token, operation string, input map[string]any) failure {
	c.t.Helper()
	result, failed := c.ask(c.t, token, operation, input)
	if failed == nil {
		c.t.Errorf("%s %v: %s, want %s", operation, input, result, kind)
		return failure{}
	}
	if failed.kind != kind || failed.detail == "" {
		c.t.Errorf("%s %v: %+v, want %s", operation, input, *failed, kind)
	}
	return *failed
}

func (c conversation) ended(o control.Operation) control.Operation {
	c.t.Helper()
	eventually(c.t, "the operation has ended", func() bool {
		o = gets[control.Operation](c, viewerToken, "getOperation", map[string]any{"id": o.ID})
		return o.State != control.OperationRunning
	})
	return o
}

type in = map[string]any

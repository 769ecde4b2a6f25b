package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/cmd/plba/internal/cli"
	"github.com/plba/plba/cmd/plba/internal/term"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

// ran is what came of a run of the command.
type ran struct {
	code     int
	out, err string
}

// operator runs the command as somebody with these variables.
type operator struct {
	variables map[string]string
	terminal  term.Terminal // its streams are the run's own
}

func (o operator) run(t *testing.T, args ...string) ran {
	t.Helper()
	return o.runUntil(t.Context(), args...)
}

func (o operator) runUntil(ctx context.Context, args ...string) ran {
	var out, errs bytes.Buffer
	code := o.runInto(ctx, &out, &errs, args...)
	return ran{code, out.String(), errs.String()}
}

func (o operator) runInto(ctx context.Context, out, errs io.Writer, args ...string) int {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := o.terminal
	t.Out, t.Err = out, errs
	if t.In == nil {
		t.In = strings.NewReader("")
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	return cli.Run(ctx, args, &t, func(name string) string {
		if name == "XDG_CONFIG_HOME" && o.variables[name] == "" {
			return "/nowhere"
		}
		return o.variables[name]
	})
}

// at is an operator who works at an address, with a token.
func at(address, token string) operator {
	return operator{variables: map[string]string{"PLBA_ADDRESS": address, "PLBA_TOKEN": token}}
}

// output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

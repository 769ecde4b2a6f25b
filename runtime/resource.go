package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/plba/plba/health"
)

// resource is something opened before its users and closed after them.
type resource struct {
	name        string
	critical    bool
	groups      []health.Group
	after       []string // resources that open before and close after this one
	start, stop func(context.Context) error

	mu      sync.Mutex
	running string // "start" or "stop" while a call has not returned, also one that was left behind
	fail    error  // of the last start or stop
}

// open starts the resource. A start that was left behind and succeeds after all is undone at once, since nobody else would.
func (res *resource) open(ctx context.Context, log *slog.Logger) error {
	return res.call(ctx, log, "start", res.start, func(err error) {
		if err != nil {
			log.Warn("an abandoned start has returned", "resource", res.name, "error", err)
			return
		}
		log.Warn("an abandoned start has succeeded too late and is undone", "resource", res.name)
		ctx, cancel := context.WithTimeout(context.Background(), forceGrace)
		defer cancel()
		if res.stop == nil {
			return
		}
		if err := do(ctx, log, res.what("stop"), res.stop); err != nil {
			log.Error("cannot undo it", "resource", res.name, "error", err)
		}
	})
}

// close stops the resource.
func (res *resource) close(ctx context.Context, log *slog.Logger) error {
	return res.call(ctx, log, "stop", res.stop, func(err error) {
		log.Warn("an abandoned stop has returned", "resource", res.name, "error", err)
	})
}

// call runs start or stop, never both and neither twice at a time. late is told what a call that was left behind came to.
func (res *resource) call(ctx context.Context, log *slog.Logger, what string, f func(context.Context) error, late func(error)) error {
	if before := res.begin(what); before != "" {
		return fmt.Errorf("its %s was left behind and has not returned yet", before)
	}
	if f == nil {
		f = func(context.Context) error { return nil }
	}
	a := call(ctx, log, res.what(what), func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) }, func(_ struct{}, err error) {
		late(err)
		res.end()
	})
	if !a.left {
		res.end()
	}
	res.note(a.err)
	return a.err
}

func (res *resource) what(call string) string {
	return fmt.Sprintf("%s of resource %q", call, res.name)
}

// begin marks a call as running; the answer is the call that runs already, "" if there was none.
func (res *resource) begin(what string) (before string) {
	res.mu.Lock()
	defer res.mu.Unlock()
	if res.running == "" {
		res.running = what
		return ""
	}
	return res.running
}

func (res *resource) end() {
	res.mu.Lock()
	defer res.mu.Unlock()
	res.running = ""
}

func (res *resource) note(err error) {
	res.mu.Lock()
	defer res.mu.Unlock()
	res.fail = err
}

func (res *resource) health() health.Report {
	res.mu.Lock()
	defer res.mu.Unlock()
	return health.Of(res.fail)
}

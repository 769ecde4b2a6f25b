package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

type mail struct{ ID int }

// bot is the application that the tests operate: a queue, its consumer with a pipeline, a poller, a resource.
type bot struct {
	mails *queue.Queue[mail]

	mu       sync.Mutex
	openErr  error         // of the resource
	failure  error         // of handlers
	entered  chan struct{} // not nil: the resource closes it and then waits for its context
	hold     chan struct{} // handlers wait for it, and ignore their context while deaf
	deaf     bool
	handling chan int // IDs of mails whose handling began

	slow chan struct{}           // not nil: one more worker, which is ready once this is closed
	more func(*runtime.Registry) // not nil: registers more

	file string // not "": a file of the configuration
}

func newBot() *bot { return &bot{handling: make(chan int, 100)} }

func (b *bot) Name() string { return "mail_order_bot" }

func (b *bot) Register(r *runtime.Registry) error {
	r.Resource("shop", b.openShop, nil, runtime.Critical())
	b.mails = runtime.QueueOf[mail](r, "mails")
	orders := pipeline.New[mail, pipeline.Done]("orders").
		Stage(pipeline.Map("load", func(_ context.Context, m mail) (int, error) { return m.ID, nil })).
		Stage(pipeline.Sink("store", b.handle)).MustBuild()
	r.Extend(runtime.PipelineKey, orders)
	r.Worker(workers.Consume("email-processing", b.mails, orders), runtime.Critical())
	if b.slow != nil {
		r.Worker(workers.Loop("slow-starter", b.startSlowly), runtime.Critical())
	}
	if b.more != nil {
		b.more(r)
	}
	r.Worker(workers.Poll("mail-polling", time.Hour, func(context.Context) (int, error) { return 0, nil }))
	return nil
}

func (b *bot) openShop(ctx context.Context) error {
	b.mu.Lock()
	err, entered := b.openErr, b.entered
	b.mu.Unlock()
	if entered != nil {
		close(entered)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return err
}

func (b *bot) startSlowly(ctx context.Context, s *workers.Session) error {
	select {
	case <-b.slow:
		s.Ready()
		<-s.Stopping()
		return nil
	case <-s.Stopping():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// blockShop lets the next opening of the shop hang until its context ends.
func (b *bot) blockShop(entered chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entered = entered
}

func (b *bot) handle(ctx context.Context, id int) error {
	b.mu.Lock()
	hold, deaf, failure := b.hold, b.deaf, b.failure
	b.mu.Unlock()
	b.handling <- id
	if hold == nil {
		return failure
	}
	if deaf {
		<-hold
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *bot) breakHandler(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failure = err
}

func (b *bot) breakShop(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.openErr = err
}

// holdHandlers lets handlers wait until the returned function is called.
func (b *bot) holdHandlers(t *testing.T) (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	hold := make(chan struct{})
	b.hold = hold
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	return release
}

// plane is a bot that runs, with its control plane.
type plane struct {
	t        testing.TB
	bot      *bot
	app      *runtime.App
	plane    *control.Plane
	http     *control.HTTP
	terminal *output
	log      *output
	token    string // of the first run, "" with configured tokens
	client   *http.Client
}

// output is a terminal or log that can be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var tokenLine = regexp.MustCompile(`(?m)^ +([A-Za-z0-9_-]{43})$`)

// newPlane assembles the bot with further settings; nothing runs.
func newPlane(t testing.TB, settings map[string]any) *plane {
	t.Helper()
	return planeOf(t, newBot(), settings)
}

func planeOf(t testing.TB, b *bot, settings map[string]any) *plane {
	t.Helper()
	return planeWith(t, b, settings)
}

func planeWith(t testing.TB, b *bot, settings map[string]any, opts ...control.Option) *plane {
	t.Helper()
	p := &plane{t: t, bot: b, terminal: &output{}, log: &output{}}
	p.client = &http.Client{Timeout: patience, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	t.Cleanup(p.client.CloseIdleConnections)
	all := map[string]any{"platform.control.listen": "127.0.0.1:0", "platform.tracing.transport": "memory"}
	for k, v := range settings {
		all[k] = v
	}
	sources := []config.Source{config.Settings(all)}
	if b.file != "" {
		sources = append(sources, config.File(b.file))
	}
	var err error
	p.app, err = runtime.New(p.bot,
		runtime.WithSources(sources...), runtime.WithDrivers(memory.Driver()),
		runtime.WithLogger(slog.New(slog.NewJSONHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		runtime.WithChannel(func(c *config.Config) (runtime.Channel, error) {
			var cc control.Config
			if err := c.Decode("platform/control", &cc); err != nil {
				return nil, err
			}
			var err error
			if p.plane, err = control.New(cc, append(opts, control.WithTerminal(p.terminal))...); err != nil {
				return nil, err
			}
			p.http = p.plane.HTTP()
			return p.plane, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := p.app.Stop(ctx); err != nil && !errors.Is(err, runtime.ErrNotClean) {
			t.Errorf("stop: %v", err)
		}
		if err := p.app.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// startPlane is newPlane, and starts it.
func startPlane(t testing.TB, settings map[string]any) *plane {
	t.Helper()
	p := newPlane(t, settings)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.app.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if m := tokenLine.FindStringSubmatch(p.terminal.String()); m != nil {
		p.token = m[1]
	}
	return p
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// with changes a request before it is sent.
type with func(*http.Request)

func bearer(token string) with {
	return header("Authorization", "Bearer "+token)
}

func header(name, value string) with {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) with { return func(r *http.Request) { r.Host = name } }

// do sends a request. A body that is given is sent as JSON.
func (p *plane) do(method, path, body string, changes ...with) answer {
	p.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.http.Addr()+path, reader)
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, change := range changes {
		change(req)
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, text}
}

// get reads as anybody on this machine.
func (p *plane) get(path string, changes ...with) answer {
	return p.do(http.MethodGet, path, "", changes...)
}

// command asks with the token of the first run.
func (p *plane) command(path, body string) answer {
	return p.do(http.MethodPost, path, body, bearer(p.token))
}

// read decodes a successful JSON answer.
func read[T any](t testing.TB, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, type %q, want %d and JSON: %s", a.status, a.header.Get("Content-Type"), status, a.body)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// problem checks that the answer is a whole problem with that status, and gives it.
func problem(t testing.TB, a answer, status int) control.Problem {
	t.Helper()
	var p control.Problem
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d, type %q, want %d and a problem: %s", a.status, a.header.Get("Content-Type"), status, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Fatalf("an incomplete problem for %d: %s", status, a.body)
	}
	return p
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %s: %s", patience, what)
		case <-look.C:
		}
	}
}

// waitState waits until the runtime shows the state over the API.
func (p *plane) waitState(state workers.State) control.RuntimeInfo {
	p.t.Helper()
	var info control.RuntimeInfo
	eventually(p.t, fmt.Sprintf("the runtime is %s", state), func() bool {
		info = read[control.RuntimeInfo](p.t, p.get("/api/v1/runtime"), http.StatusOK)
		return info.State == state
	})
	return info
}

// waitOperation waits until the operation has ended, and gives it.
func (p *plane) waitOperation(id string) control.Operation {
	p.t.Helper()
	var o control.Operation
	eventually(p.t, "the operation has ended", func() bool {
		o = read[control.Operation](p.t, p.get("/api/v1/operations/"+id), http.StatusOK)
		return o.State != control.OperationRunning
	})
	return o
}

// waitIdle waits until the poller's first poll is over.
func (p *plane) waitIdle() {
	p.t.Helper()
	eventually(p.t, "the runtime is idle", func() bool { return p.app.Status().State == workers.Idle })
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// book notes what is done and undone, and fails as it is told.
type book struct {
	fail map[string]error // by step

	mu    sync.Mutex
	lines []string
	refs  []string
	more  chan struct{} // gets one for each line
}

func newBook() *book { return &book{fail: map[string]error{}, more: make(chan struct{}, 100)} }

func (b *book) write(line, ref string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines, b.refs = append(b.lines, line), append(b.refs, ref)
	b.more <- struct{}{}
}

func (b *book) Do(_ context.Context, step, ref string, _ Payment) error {
	if err := b.fail[step]; err != nil {
		return err
	}
	b.write(step, ref)
	return nil
}

func (b *book) Undo(_ context.Context, step, ref string, cause error) error {
	b.write(fmt.Sprintf("undo %s: %v", step, cause), ref)
	return nil
}

func (b *book) read() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

const settings = "platform: {}"

func TestSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		app := plbatest.Start(t, withoutHook{&module{books: b}}, plba.WithConfigYAML(settings))
		if r := plbatest.Feed(app, "payments", Payment{"evt-1", "DE1", 4200}); r.Outcome != task.Done {
			t.Fatalf("%s: %v", r.Outcome, r.Err)
		}
		if got, want := b.read(), []string{"reserve", "charge", "book", "invoice", "notify"}; !slices.Equal(got, want) {
			t.Errorf("done: %q, want %q", got, want)
		}
		slices.Sort(b.refs)
		if refs := slices.Compact(b.refs); len(refs) != 5 {
			t.Errorf("five steps have the refs %q: each needs its own", refs)
		}
	})
}

// A customer that cannot be told gets the money back: what was done is undone, last first, and what has no compensation stays.
func TestUndoesWhatCannotBeFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.fail["notify"] = task.Permanent(errors.New("the account is closed"))
		app := plbatest.Start(t, withoutHook{&module{books: b}}, plba.WithConfigYAML(settings))
		if r := plbatest.Feed(app, "payments", Payment{"evt-1", "DE1", 4200}); r.Outcome != task.Dead {
			t.Fatalf("%s: %v", r.Outcome, r.Err)
		}
		got := b.read()
		for i, want := range []string{"reserve", "charge", "book", "invoice", "undo book: ", "undo charge: ", "undo reserve: "} {
			if i >= len(got) || !strings.HasPrefix(got[i], want) || i > 3 && !strings.Contains(got[i], "the account is closed") {
				t.Fatalf("line %d of %q, want %q with the cause", i+1, got, want)
			}
		}
	})
}

// A step that fails for a while is repeated alone: the steps before it are not done again.
func TestGoesOnBehindTheLastCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		flaky := &sometimes{Books: b, step: "book", failures: 2}
		app := plbatest.Start(t, withoutHook{&module{books: flaky}}, plba.WithConfigYAML(settings))
		r := plbatest.Feed(app, "payments", Payment{"evt-1", "DE1", 4200})
		if r.Outcome != task.Done || r.Attempts != 3 {
			t.Fatalf("%s after %d attempts: %v", r.Outcome, r.Attempts, r.Err)
		}
		if got, want := b.read(), []string{"reserve", "charge", "book", "invoice", "notify"}; !slices.Equal(got, want) {
			t.Errorf("done: %q, want %q", got, want)
		}
	})
}

// sometimes fails a step a few times.
type sometimes struct {
	Books
	step     string
	failures int
}

func (s *sometimes) Do(ctx context.Context, step, ref string, p Payment) error {
	if step == s.step && s.failures > 0 {
		s.failures--
		return errors.New("the line is busy")
	}
	return s.Books.Do(ctx, step, ref, p)
}

// withoutHook leaves out what needs a network and a database: bubbles have neither.
type withoutHook struct{ *module }

func (m withoutHook) Register(r *plba.Registry) error {
	m.register(r)
	return nil
}

// The whole application on a server of its own: what the provider reports twice is settled once, and a call that fails leaves nothing.
func TestWebhookIsOneTransaction(t *testing.T) {
	url := pgtest.Start(t).Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	b := newBook()
	m := &module{pool: pool, books: b}
	app, err := plba.New(m, plba.WithDrivers(postgres.Driver(postgres.Pool(pool))), plba.WithoutControlListener(), plba.WithOutput(t.Output()),
		plba.WithConfigYAML("platform: {queues: {payments: {backend: postgres}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		budget, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if receipt, err := app.Stop(budget); err != nil || !receipt.Clean {
			t.Errorf("stop: %v\n%s", err, receipt)
		}
	}()
	post := func(body string) int {
		w := httptest.NewRecorder()
		m.hook.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/payment", strings.NewReader(body)))
		return w.Code
	}
	const payment = `{"EventID":"evt-1","Account":"DE1","Cents":4200}`
	if code := post(payment); code != http.StatusServiceUnavailable { // the table of events is not there
		t.Fatalf("a transaction that fails is answered with %d", code)
	}
	if _, err := pool.Exec(t.Context(), "create table events(id text primary key)"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		body string
		code int
	}{{`{"Event`, http.StatusBadRequest}, {payment, http.StatusAccepted}, {payment, http.StatusAccepted}} {
		if code := post(want.body); code != want.code {
			t.Fatalf("%s is answered with %d, want %d", want.body, code, want.code)
		}
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for range 5 {
		select {
		case <-b.more:
		case <-deadline.C:
			t.Fatalf("only %q after 30 s", b.read())
		}
	}
	if got, want := b.read(), []string{"reserve", "charge", "book", "invoice", "notify"}; !slices.Equal(got, want) {
		t.Errorf("done: %q, want %q, once", got, want)
	}
}

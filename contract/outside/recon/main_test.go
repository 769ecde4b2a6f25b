package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
)

// branch is a bank with some customers, who have several accounts each.
type branch struct {
	customers, accounts int
	closedUntil         time.Time

	mu      sync.Mutex
	matched map[string]int  // by account
	busy    map[string]bool // customers of whom an account is being worked on
	clashes int
	fees    map[int]bool
	all     chan struct{} // closed when every account is matched
}

func newBranch(customers, accounts int) *branch {
	return &branch{
		customers: customers, accounts: accounts, matched: map[string]int{}, busy: map[string]bool{}, fees: map[int]bool{}, all: make(chan struct{}),
	}
}

func (b *branch) Customers(context.Context, time.Time) (rs []Recon, err error) {
	for c := range b.customers {
		for a := range b.accounts {
			rs = append(rs, Recon{Customer: fmt.Sprintf("c%d", c), Account: fmt.Sprintf("c%d-a%d", c, a)})
		}
	}
	return rs, nil
}

func (b *branch) Fetch(_ context.Context, key string, r Recon) (Statement, error) {
	if key == "" {
		return Statement{}, errors.New("a fetch without an idempotency key")
	}
	if time.Now().Before(b.closedUntil) {
		return Statement{}, ErrBusy
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy[r.Customer] {
		b.clashes++
	}
	b.busy[r.Customer] = true
	return Statement{Recon: r}, nil
}

func (b *branch) Match(_ context.Context, s Statement, fee int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy[s.Customer] = false
	b.fees[fee] = true
	if b.matched[s.Account]++; len(b.matched) == b.customers*b.accounts && b.matched[s.Account] == 1 {
		close(b.all)
	}
	return nil
}

func (b *branch) Ping(context.Context) error { return nil }

// check holds what every night has to hold: each account once, no customer twice at once.
func (b *branch) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if want := b.customers * b.accounts; len(b.matched) != want {
		t.Errorf("%d accounts were reconciled, want %d", len(b.matched), want)
	}
	for account, n := range b.matched {
		if n != 1 {
			t.Errorf("account %s was reconciled %d times", account, n)
		}
	}
	if b.clashes > 0 {
		t.Errorf("%d times two accounts of one customer were worked on at once", b.clashes)
	}
}

const fast = "reconciliation: {rate: 100000, fee: 7}"

// A night in virtual time. The bank is closed when it begins: the tasks are put away and come back, without losing an attempt.
func TestNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBranch(20, 3)
		b.closedUntil = time.Now().Add(5 * time.Hour)
		plbatest.Start(t, module{b}, plba.WithConfigYAML(fast))
		<-b.all
		b.check(t)
		if !b.fees[7] || len(b.fees) != 1 {
			t.Errorf("fees %v, want that of the configuration", b.fees)
		}
	})
}

// Two processes on one PostgreSQL share a night: the instant is run once, each account is reconciled once.
func TestTwoInstances(t *testing.T) {
	url := pgtest.Start(t).Database(t)
	b := newBranch(40, 5)
	settings := fmt.Sprintf("platform: {queues: {accounts: {backend: postgres, url: %q}, nightly-ticks: {backend: postgres, url: %q}}}\n%s", url, url, fast)
	var apps []*plba.App
	for range 2 {
		app, err := plba.New(module{b}, plba.WithDrivers(postgres.Driver()), plba.WithoutControlListener(), plba.WithOutput(t.Output()),
			plba.WithConfigYAML(settings))
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		apps = append(apps, app)
	}
	ticks, _ := apps[0].QueueHandle("nightly-ticks")
	if n, err := ticks.RunNow(t.Context(), waiting); err != nil || n != 1 { // tonight's, which is in the queue already, once
		t.Fatalf("%d instants were waiting: %v", n, err)
	}
	select {
	case <-b.all:
	case <-time.After(60 * time.Second):
		t.Error("the night is not done after a minute")
	}
	for _, app := range apps {
		budget, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if receipt, err := app.Stop(budget); err != nil || !receipt.Clean {
			t.Errorf("stop: %v\n%s", err, receipt)
		}
		cancel()
	}
	b.check(t)
}

// waiting are the tasks that wait for their time.
var waiting = queue.InState(queue.StateScheduled)

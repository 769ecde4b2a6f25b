package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
)

// TestConnections looks at how queues use connections.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	t.Run("the pool is exhausted", func(t *testing.T) { poolIsExhausted(t, s.Database(t)) })
	t.Run("they are bounded", func(t *testing.T) { connectionsAreBounded(t, s.Database(t)) })
}

// poolIsExhausted uses all connections of the application's pool up: operations fail in time and say why, and succeed when there are some again.
func poolIsExhausted(t *testing.T, url string) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 3
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	q := opened(t, postgres.Driver(postgres.Pool(pool)), queue.Spec[payment]{}, func(set *postgres.Settings) { set.Timeout = 2 * time.Second })
	var held []*pgxpool.Conn
	for len(held) < 2 { // the third listens
		c, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	until(t, "the third connection is in use", func() bool { return pool.Stat().AcquiredConns() == 3 })
	if err := q.Publish(t.Context(), payment{"crowded"}); !errors.Is(err, postgres.ErrUnavailable) || !strings.Contains(err.Error(), "all 3 connections of the pool are in use") {
		t.Errorf("publish without a connection: %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	if err := q.Publish(t.Context(), payment{"again"}); err != nil {
		t.Errorf("publish with connections: %v", err)
	}
	config.MaxConns = 1
	small, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(small.Close)
	if _, err := postgres.Driver(postgres.Pool(small)).Open(t.Context(), queue.Opening{Queue: "q"}); err == nil || !strings.Contains(err.Error(), "at least 2") {
		t.Errorf("a pool of one connection: %v", err)
	}
}

// connectionsAreBounded publishes and looks with many goroutines: the settings' connections are never exceeded, that for notifications included.
func connectionsAreBounded(t *testing.T, url string) {
	q := opened(t, postgres.Driver(), queue.Spec[payment]{}, func(set *postgres.Settings) { set.URL, set.Connections = url, 3 })
	var calls sync.WaitGroup
	const publishers, each = 16, 20
	for range publishers {
		calls.Go(func() {
			for range each {
				if err := q.Publish(t.Context(), payment{"one"}); err != nil {
					t.Error(err)
				}
				if _, err := q.Stats(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	most, looks := 0, 0
	ended := make(chan struct{})
	go func() { calls.Wait(); close(ended) }()
	beside := connect(t, url)
	for run := true; run; looks++ {
		var n int
		const count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'plba'"
		if err := beside.QueryRow(t.Context(), count).Scan(&n); err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
		select {
		case <-ended:
			run = false
		default:
		}
	}
	if most > 3 || most < 2 || looks < 3 {
		t.Errorf("up to %d connections in %d looks, allowed are 3", most, looks)
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Ready != publishers*each {
		t.Errorf("%+v, %v", s, err)
	}
}

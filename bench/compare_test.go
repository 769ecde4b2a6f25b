package bench

import (
	"context"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba/queue/postgres/pgtest"
)

var (
	compare     = flag.Bool("compare", false, "measure at full volume, in rounds, and print a table (about four minutes)")
	rounds      = flag.Int("rounds", 3, "how many `rounds` -compare has")
	percent     = flag.Int("percent", 100, "how much of the full volume -compare has, in percent; less is for trying")
	beside      = flag.Bool("river", true, "measure what both sides do")
	backlogs    = flag.Bool("backlogs", true, "measure our work with backlogs of 1 k, 100 k and 1 M tasks")
	connections = flag.Int("connections", 10, "`size` of each of River's two pools; a store of ours has 10 by default")
)

// volume is how much of everything is done in a round.
type volume struct {
	bulk      int // jobs that are published together and then worked
	perCall   int // of them in a call of publishAll
	single    int // jobs that publishers publish one by one, together
	idle      int // jobs that find an idle queue
	backlogs  []int
	behind    int // jobs that are worked of a backlog
	intervals int // milliseconds between jobs that find an idle queue
}

var (
	whole = volume{bulk: 100_000, perCall: 5_000, single: 10_000, idle: 300, backlogs: []int{1_000, 100_000, 1_000_000}, behind: 30_000, intervals: 20}
	taste = volume{bulk: 500, perCall: 200, single: 64, idle: 5, backlogs: []int{200}, behind: 100, intervals: 1}
)

// part is so many percent of it.
func (v volume) part(percent int) volume {
	v.bulk, v.single, v.idle, v.behind = v.bulk*percent/100, v.single*percent/100, v.idle*percent/100, v.behind*percent/100
	v.backlogs = slices.Clone(v.backlogs)
	for i := range v.backlogs {
		v.backlogs[i] = v.backlogs[i] * percent / 100
	}
	return v
}

// TestCompare lets both sides do everything in turns. Each measurement checks that all of its work was done.
func TestCompare(t *testing.T) {
	server := pgtest.Start(t, "fsync=on", "full_page_writes=on", "max_connections=300")
	url := server.Database(t)
	v, n := taste, 1
	if *compare {
		v, n = whole.part(*percent), *rounds
	}
	pool := connect(t, url)
	ours := newPLBA(t, url, pool)
	sides := []side{ours, newRiver(t, pool, connect(t, url))}
	var results table
	m := meter{server.PID()}
	both, alone := n, n
	if !*beside {
		both = 0
	}
	if !*backlogs {
		alone = 0
	}
	for round := range both {
		for i := range sides { // the one that begins changes
			s := sides[(i+round)%len(sides)]
			measure(t, s, m, v, &results)
		}
	}
	for round := range alone {
		for i := range v.backlogs {
			behind(t, ours, m, v, v.backlogs[(i+round)%len(v.backlogs)], &results)
		}
	}
	if *compare {
		settings(t, pool)
		results.print(os.Stdout)
	}
}

func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = int32(*connections) //nolint:gosec // small
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// settings logs what the server says of itself.
func settings(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, name := range []string{"server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers", "max_wal_size", "autovacuum"} {
		var value string
		if err := pool.QueryRow(context.Background(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s = %s", name, value)
	}
}

package postgres_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/queue/queuetest"
)

func TestConformance(t *testing.T) {
	url := pgtest.Start(t).Database(t)
	var schemas atomic.Int64
	queuetest.Run(t, postgres.Driver(), func(*testing.T) queue.Settings {
		s := new(postgres.Settings)
		s.SetDefaults()
		s.URL, s.Schema = url, fmt.Sprintf("test%d", schemas.Add(1))
		return s
	})
}

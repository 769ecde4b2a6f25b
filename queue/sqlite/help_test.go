package sqlite

import (
	"os"
	"testing"

	"github.com/google/uuid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func newRecord() queue.Record {
	return queue.Record{
		Info:    task.Info{ID: uuid.Must(uuid.NewV7()).String(), Queue: "tests", Kind: "test", MaxAttempts: 20},
		Payload: queue.Payload{Bytes: []byte(`{"order":17}`)},
	}
}

func openQueue(t testing.TB, d queue.Driver, path string) queue.Engine {
	t.Helper()
	e, err := d.Open(t.Context(), queue.Opening{Queue: "tests", Settings: &Settings{Path: path}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// These tests cut the power: they build what is on the disk from what was synced, and anything of what was not, at any moment. A killed process cannot show a
// missing sync, because the system still has what was written.

// TestPowerCut publishes and works from many goroutines, and then cuts the power at many moments. Nothing that was acknowledged may be missing, and no file may be
// taken for damaged.
func TestPowerCut(t *testing.T) {
	inMemory(t)
	w := work(t)
	cuts := volume(20, 3000)
	promised := 0
	for i := range cuts {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		n, err := w.cut(t, random, 1+random.IntN(len(w.events)))
		if err != nil {
			t.Errorf("cut %d: %v", i, err)
		}
		promised += n
	}
	if promised < cuts*10 {
		t.Errorf("only %d promises were checked in %d cuts", promised, cuts)
	}
}

// TestPowerCutFindsAMissingSync shows that the test above would notice.
func TestPowerCutFindsAMissingSync(t *testing.T) {
	w := work(t, "synchronous=OFF")
	for i := range 60 {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		if _, err := w.cut(t, random, len(w.events)-random.IntN(20)); err != nil {
			t.Logf("found: %v", err)
			return
		}
	}
	t.Error("without a sync nothing was lost in 60 power cuts")
}

// TestSyncPrecedesAcknowledgement looks at the order itself: between the last write to the log before an acknowledgement and that, there is a sync of the log.
func TestSyncPrecedesAcknowledgement(t *testing.T) {
	w := work(t)
	unsynced, acks := true, 0
	for _, e := range w.one {
		switch {
		case e.op == opAck:
			acks++
			if unsynced {
				t.Fatalf("%q was acknowledged, and the log was not synced since it was written", e.data)
			}
		case !strings.HasSuffix(e.path, "-wal"):
		case e.op == opWrite:
			unsynced = true
		case e.op == opSync:
			unsynced = false
		}
	}
	if acks < 20 {
		t.Errorf("only %d acknowledgements were seen", acks)
	}
}

// worked is what was done to the files while many goroutines worked.
type worked struct {
	path   string
	before map[string][]byte // the files when it began
	events []event           // with many at once
	one    []event           // and before that, with one alone
}

// work fills a queue and works on it. The log is moved into the database often.
func work(t *testing.T, pragmas ...string) *worked {
	t.Helper()
	d := newDisk(t)
	w := &worked{path: filepath.Join(t.TempDir(), "queue.db")}
	driver := newDriver(files{time: systemTime(), vfs: d.name, more: append(pragmas, "wal_autocheckpoint=30")})
	e := openQueue(t, driver, w.path)
	d.take()
	w.before = map[string][]byte{w.path: read(t, w.path), w.path + "-wal": read(t, w.path+"-wal")}
	for range 20 {
		r := newRecord()
		if _, err := e.Publish(t.Context(), []queue.Record{r}, true); err != nil {
			t.Fatal(err)
		}
		d.ack("published " + r.Info.ID)
	}
	w.one = d.take()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := workAlong(t.Context(), d, e, 12, i%2 == 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.events = append(w.one[:len(w.one):len(w.one)], d.take()...)
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return w
}

// workAlong publishes, and handles tasks, and says in the record what it was told.
func workAlong(ctx context.Context, d *disk, e queue.Engine, rounds int, handle bool) error {
	for range rounds {
		rs := []queue.Record{newRecord(), newRecord(), newRecord()}
		if _, err := e.Publish(ctx, rs, true); err != nil {
			return err
		}
		for _, r := range rs {
			d.ack("published " + r.Info.ID)
		}
		if !handle {
			continue
		}
		ls, err := e.Receive(ctx, 2, time.Minute)
		if err != nil {
			return err
		}
		for _, l := range ls {
			d.ack("finishing " + l.ID)
			if _, err := e.Complete(ctx, []queue.Completion{{Token: l.Token, Outcome: task.Done}}); err != nil {
				return err
			}
			d.ack("finished " + l.ID)
		}
	}
	return nil
}

// cut cuts the power after so many events, opens what is left and checks it against what was promised by then. It gives the number of promises.
func (w *worked) cut(t *testing.T, random *rand.Rand, after int) (promises int, err error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "queue.db")
	for name, data := range w.left(random, after) {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := newDriver(files{time: systemTime()}).Open(t.Context(), queue.Opening{Queue: "tests", Settings: &Settings{Path: path}})
	if err != nil {
		return 0, fmt.Errorf("after event %d of %d: %w", after, len(w.events), err)
	}
	defer func() { err = errors.Join(err, e.Close(context.WithoutCancel(t.Context()))) }()
	for id, state := range promisesIn(w.events[:after]) {
		promises++
		_, lost := e.Task(t.Context(), id)
		switch {
		case lost != nil && !errors.Is(lost, queue.ErrNotFound):
			return promises, lost
		case state == "published" && lost != nil:
			return promises, fmt.Errorf("after event %d of %d: task %s was acknowledged and is not there", after, len(w.events), id)
		case state == "finished" && lost == nil:
			return promises, fmt.Errorf("after event %d of %d: task %s is there again; that it is done was acknowledged", after, len(w.events), id)
		}
	}
	return promises, nil
}

// promisesIn are the last words about each task.
func promisesIn(events []event) map[string]string {
	promises := map[string]string{}
	for _, e := range events {
		if what, id, ok := strings.Cut(string(e.data), " "); e.op == opAck && ok {
			promises[id] = what
		}
	}
	return promises
}

// left is what is on the disk after a power cut: what was synced, and of what was not, anything.
func (w *worked) left(random *rand.Rand, after int) map[string][]byte {
	disk := map[string][]byte{}
	for path, data := range w.before {
		disk[path] = bytes.Clone(data)
	}
	pending := map[string][]event{}
	for _, e := range w.events[:after] {
		switch e.op {
		case opWrite, opTruncate:
			pending[e.path] = append(pending[e.path], e)
		case opSync:
			for _, p := range pending[e.path] {
				disk[e.path] = p.apply(disk[e.path], len(p.data))
			}
			delete(pending, e.path)
		case opDelete:
			delete(disk, e.path)
			delete(pending, e.path)
		case opAck:
		}
	}
	much := random.IntN(5) // of four, how many
	for path, events := range pending {
		for _, p := range events {
			if random.IntN(4) < much {
				n := len(p.data)
				if random.IntN(3) == 0 {
					n = min(n, 512*random.IntN(1+n/512)) // torn
				}
				disk[path] = p.apply(disk[path], n)
			}
		}
	}
	return disk
}

// apply does an event to what is in a file, or the first n bytes of it.
func (e *event) apply(data []byte, n int) []byte {
	size := e.at
	if e.op == opWrite {
		size = max(int64(len(data)), e.at+int64(n))
	}
	for int64(len(data)) < size {
		data = append(data, 0)
	}
	data = data[:size]
	if e.op == opWrite {
		copy(data[e.at:], e.data[:n])
	}
	return data
}

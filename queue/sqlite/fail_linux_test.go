package sqlite

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/plba/plba/queue"
)

// onDisk opens a queue on a disk that can fail.
func onDisk(t *testing.T) (*disk, *engine) {
	t.Helper()
	d := newDisk(t)
	e := openNamed(t, newDriver(files{time: systemTime(), vfs: d.name}), "tests", filepath.Join(t.TempDir(), "queue.db"))
	t.Cleanup(func() {
		d.refusing(nil)
		if err := e.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return d, e
}

// TestDiskFull lets every write fail, and then no longer.
func TestDiskFull(t *testing.T) {
	d, e := onDisk(t)
	first := newRecord()
	publish(t, e, first, newRecord())
	held := receive(t, e, 1)[0]
	d.refusing(func(ev *event) int32 {
		if ev.op == opWrite {
			return sqlite3.SQLITE_FULL
		}
		return 0
	})
	_, err := e.Publish(t.Context(), []queue.Record{newRecord()}, true)
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), e.path) {
		t.Errorf("Publish on a full disk: %v, expected ErrNoSpace and the file's name", err)
	}
	if _, err := e.Receive(t.Context(), 1, time.Minute); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Receive on a full disk: %v, expected ErrNoSpace", err)
	}
	if _, err := e.Complete(t.Context(), []queue.Completion{{Token: held.Token}}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Complete on a full disk: %v, expected ErrNoSpace", err)
	}
	if r, err := e.Renew(t.Context(), []queue.Token{held.Token}, time.Minute); err != nil || len(r.Lost) > 0 {
		t.Errorf("Renew on a full disk: %+v, %v", r, err)
	}
	if s, err := e.Stats(t.Context()); err != nil || s.Ready != 1 || s.Running != 1 || s.Published != 2 {
		t.Errorf("Stats on a full disk: %+v, %v", s, err)
	}
	if task, err := e.Task(t.Context(), first.Info.ID); err != nil || task.State != queue.StateRunning {
		t.Errorf("Task on a full disk: %+v, %v", task, err)
	}
	d.refusing(nil)
	audit(t, e)
	publish(t, e, newRecord())
	complete(t, e, queue.Completion{Token: held.Token})
	if ls := receive(t, e, 5); len(ls) != 2 {
		t.Errorf("with room again %d tasks are received, expected 2", len(ls))
	}
	audit(t, e)
}

// TestExpiryOnAFullDisk lets a lease end while nothing can be written: the task comes back once it can, without anybody asking.
func TestExpiryOnAFullDisk(t *testing.T) {
	d, e := onDisk(t)
	publish(t, e, newRecord())
	l := receive(t, e, 1)[0]
	refused := make(chan struct{}, 1)
	d.refusing(func(*event) int32 {
		select {
		case refused <- struct{}{}:
		default:
		}
		return sqlite3.SQLITE_FULL
	})
	if _, err := e.Renew(t.Context(), []queue.Token{l.Token}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	<-refused
	d.refusing(nil)
	if l = receive(t, e, 1)[0]; l.Info.Attempt != 2 {
		t.Errorf("attempt %d, expected 2", l.Info.Attempt)
	}
	audit(t, e)
}

// TestFailedSync lets a sync fail: what was asked is not acknowledged, and the store goes on.
func TestFailedSync(t *testing.T) {
	d, e := onDisk(t)
	d.refusing(func(ev *event) int32 {
		if ev.op == opSync {
			return sqlite3.SQLITE_IOERR_FSYNC
		}
		return 0
	})
	if receipts, err := e.Publish(t.Context(), []queue.Record{newRecord()}, true); err == nil || len(receipts) > 0 {
		t.Errorf("Publish without a sync gave %v and no error", receipts)
	}
	d.refusing(nil)
	audit(t, e)
	publish(t, e, newRecord())
	if s, err := e.Stats(t.Context()); err != nil || s.Ready != 1 {
		t.Errorf("Stats: %+v, %v; expected the one task that was acknowledged", s, err)
	}
}

// TestOneFailsAlone gathers requests into one batch, one of which the disk refuses. Only that one fails.
func TestOneFailsAlone(t *testing.T) {
	d, e := onDisk(t)
	publish(t, e, newRecord())
	held := receive(t, e, 1)[0]
	working, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.refusing(func(ev *event) int32 {
		if ev.op == opSync {
			once.Do(func() {
				close(working)
				<-goOn
			})
		}
		if ev.op == opWrite && bytes.Contains(ev.data, []byte("poison")) {
			return sqlite3.SQLITE_FULL
		}
		return 0
	})
	var wg sync.WaitGroup
	wg.Go(func() { publish(t, e, newRecord()) })
	<-working // the writer is in a commit, what comes now is done together
	const n = 10
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			r := newRecord()
			if i == 3 {
				r.Payload.Bytes = []byte("poison")
			}
			_, errs[i] = e.Publish(t.Context(), []queue.Record{r}, true)
		})
	}
	wg.Go(func() { complete(t, e, queue.Completion{Token: held.Token}) })
	for gathered := 0; gathered < n+1; runtime.Gosched() {
		e.mu.Lock()
		gathered = len(e.queued)
		e.mu.Unlock()
	}
	close(goOn)
	wg.Wait()
	for i, err := range errs {
		if (i == 3) != errors.Is(err, ErrNoSpace) || i != 3 && err != nil {
			t.Errorf("publisher %d: %v", i, err)
		}
	}
	audit(t, e)
	if s, err := e.Stats(t.Context()); err != nil || s.Ready != n || s.Running != 0 {
		t.Errorf("Stats: %+v, %v; expected %d ready tasks", s, err, n)
	}
}

// TestPublishersShareSyncs counts syncs: one alone needs one for each task, many need far fewer.
func TestPublishersShareSyncs(t *testing.T) {
	d, e := onDisk(t)
	d.take()
	const alone, publishers, each = 20, 64, 20
	for range alone {
		publish(t, e, newRecord())
	}
	if n := syncs(d.take()); n < alone {
		t.Errorf("%d publishes, one after the other, took %d syncs", alone, n)
	}
	var wg sync.WaitGroup
	for range publishers {
		wg.Go(func() {
			for range each {
				publish(t, e, newRecord())
			}
		})
	}
	wg.Wait()
	n := syncs(d.take())
	t.Logf("%d publishes by %d publishers took %d syncs", publishers*each, publishers, n)
	if n > publishers*each/2 {
		t.Errorf("%d publishes by %d publishers took %d syncs: they do not share them", publishers*each, publishers, n)
	}
}

func syncs(events []event) (n int) {
	for _, e := range events {
		if e.op == opSync {
			n++
		}
	}
	return n
}

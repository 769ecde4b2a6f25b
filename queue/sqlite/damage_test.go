package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// filled makes a file with something in every table and every state, without leases, and gives what is in it.
func filled(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "queue.db")
	d := newDriver(files{time: systemTime()})
	for _, name := range []string{"first", "second"} {
		e := openNamed(t, d, name, path)
		fill(t, e)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// keeping are settings under which nothing is forgotten.
func keeping(path string) *Settings {
	return &Settings{Path: path, Common: queue.Common{KeepDone: time.Hour}}
}

func openNamed(t *testing.T, d queue.Driver, name, path string) *engine {
	t.Helper()
	e, err := d.Open(t.Context(), queue.Opening{Queue: name, Settings: keeping(path)})
	if err != nil {
		t.Fatal(err)
	}
	return e.(*engine)
}

// fill leads tasks to everywhere.
func fill(t *testing.T, e *engine) {
	t.Helper()
	ctx := t.Context()
	var rs []queue.Record
	for i := range 40 {
		r := newRecord()
		r.Info.Priority, r.Info.Group = i%3, []string{"", "north", "south"}[i%3]
		r.Info.Metadata = map[string]string{"tenant": fmt.Sprint(i)}
		r.Payload.Bytes = []byte(strings.Repeat("payload ", 1+i*i*2))
		if i%5 == 0 {
			r.Info.Unique, r.UniqueFor = fmt.Sprint("key ", i), time.Hour
		}
		if i%7 == 0 {
			r.Delay = time.Hour
		}
		rs = append(rs, r)
	}
	publish(t, e, rs...)
	for i := range 24 {
		l := receive(t, e, 1)[0]
		c := queue.Completion{Token: l.Token, Outcome: task.Outcome(i % 6), Counted: i%12 == 2, After: time.Hour, Cause: fmt.Sprint("cause ", i)}
		prefix := ""
		if i%12 == 5 {
			prefix = task.UndoPrefix
		}
		if l.Info.Undo {
			c.Outcome = task.Snoozed
		}
		for n := range i % 4 {
			path := fmt.Sprint(prefix, "stage ", n)
			if err := e.Checkpoints(l.Token).Save(ctx, path, strings.Repeat("kept ", 1+i*20)); err != nil {
				t.Fatal(err)
			}
		}
		complete(t, e, c)
	}
	if err := errors.Join(e.Cancel(ctx, rs[14].Info.ID, "enough"), e.Pause(ctx)); err != nil {
		t.Fatal(err)
	}
	s, err := e.Stats(ctx)
	if err != nil || s.Ready == 0 || s.Scheduled == 0 || s.Retrying == 0 || s.Undoing == 0 || s.Done == 0 || s.Dead == 0 || s.Cancelled == 0 || s.Running > 0 {
		t.Fatalf("the file is to hold something of everything but leases, it has %+v, %v", s, err)
	}
}

func publish(t testing.TB, e queue.Engine, rs ...queue.Record) {
	t.Helper()
	if receipts, err := e.Publish(t.Context(), rs, true); err != nil || len(receipts) != len(rs) {
		t.Fatalf("Publish: %d receipts for %d tasks, %v", len(receipts), len(rs), err)
	}
}

func receive(t testing.TB, e queue.Engine, most int) []queue.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ls, err := e.Receive(ctx, most, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

func complete(t testing.TB, e queue.Engine, cs ...queue.Completion) {
	t.Helper()
	if lost, err := e.Complete(t.Context(), cs); err != nil || len(lost) > 0 {
		t.Fatalf("Complete: lost %v, %v", lost, err)
	}
}

// contents opens a file and gives everything that is in it.
func contents(ctx context.Context, path string) (text string, err error) {
	d := newDriver(files{time: systemTime()})
	var b strings.Builder
	for _, name := range []string{"first", "second"} {
		opened, err := d.Open(ctx, queue.Opening{Queue: name, Settings: keeping(path)})
		if err != nil {
			return "", err
		}
		e := opened.(*engine)
		for _, table := range []string{"queues", "tasks", "bodies", "failures", "checkpoints", "keys"} {
			err = errors.Join(err, e.read(ctx, func(c *conn) error {
				return c.each(ctx, "SELECT * FROM "+table, nil, func(row columns) error {
					fmt.Fprintln(&b, table, row)
					return nil
				})
			}))
		}
		s, failed := e.Stats(ctx)
		s.OldestReady = 0
		fmt.Fprintf(&b, "%+v\n", s)
		if err := errors.Join(err, failed, e.Close(ctx)); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// copied is the database, changed, in a directory of its own.
func copied(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFlippedBits flips one bit of a file, anywhere. Either the file is refused, or the bit said nothing and everything is there.
func TestFlippedBits(t *testing.T) {
	inMemory(t)
	data := read(t, filled(t))
	want, err := contents(t.Context(), copied(t, data))
	if err != nil {
		t.Fatal(err)
	}
	flips := volume(30, 10_000)
	refused := 0
	for i := range flips {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		bit := random.IntN(len(data) * 8)
		if i%4 == 0 {
			bit = random.IntN(100 * 8) // the header
		}
		damaged := append([]byte(nil), data...)
		damaged[bit/8] ^= 1 << (bit % 8)
		got, err := contents(t.Context(), copied(t, damaged))
		switch {
		case err != nil:
			refused++
		case got != want:
			t.Errorf("bit %d of byte %d was flipped, and the file was opened and says something else", bit%8, bit/8)
		}
	}
	t.Logf("%d of %d flipped bits were refused, the others had no meaning", refused, flips)
	if refused < flips/4 {
		t.Errorf("only %d of %d flipped bits were refused", refused, flips)
	}
}

// TestCutFile cuts a file off anywhere: it is always refused, and left as it is.
func TestCutFile(t *testing.T) {
	inMemory(t)
	data := read(t, filled(t))
	for i := range volume(20, 2000) {
		random := rand.New(rand.NewPCG(uint64(i), 2))
		size := random.IntN(len(data))
		switch i {
		case 0:
			size = 0
		case 1:
			size = len(data) - 4096
		case 2:
			size = len(data) - 1
		}
		path := copied(t, data[:size])
		if _, err := contents(t.Context(), path); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut off after %d of %d bytes: %v", size, len(data), err)
		}
		if left := read(t, path); len(left) != size {
			t.Errorf("cut off after %d bytes, opening it made it %d long", size, len(left))
		}
	}
}

// TestFlippedBitsInTheLog flips one bit of the write-ahead log that a crash has left. The file is refused, or the bit said nothing; only of the last transaction
// nobody can know whether it was damaged or never finished.
func TestFlippedBitsInTheLog(t *testing.T) {
	inMemory(t)
	path := filepath.Join(t.TempDir(), "queue.db")
	e := openNamed(t, newDriver(files{time: systemTime()}), "first", path)
	publish(t, e, newRecord())
	var logs [2][]byte
	for i := range logs {
		publish(t, e, newRecord(), newRecord())
		logs[i] = read(t, path+"-wal")
	}
	data := read(t, path)
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	crashed := func(log []byte) (string, error) {
		path := copied(t, data)
		if err := os.WriteFile(path+"-wal", log, 0o600); err != nil {
			t.Fatal(err)
		}
		return contents(t.Context(), path)
	}
	var want [2]string
	for i := range want {
		var err error
		if want[i], err = crashed(logs[i]); err != nil {
			t.Fatal(err)
		}
	}
	refused, flips := 0, volume(40, 5000)
	for i := range flips {
		random := rand.New(rand.NewPCG(uint64(i), 3))
		bit := random.IntN(len(logs[1]) * 8)
		damaged := append([]byte(nil), logs[1]...)
		damaged[bit/8] ^= 1 << (bit % 8)
		got, err := crashed(damaged)
		switch {
		case errors.Is(err, ErrDamaged):
			refused++
		case err != nil:
			t.Errorf("byte %d: %v", bit/8, err)
		case got == want[1], got == want[0] && bit/8 >= len(logs[0]):
		default:
			t.Errorf("bit %d of byte %d of the log was flipped (the last transaction begins at %d), and something is missing", bit%8, bit/8, len(logs[0]))
		}
	}
	if refused < flips/6 {
		t.Errorf("only %d of %d flipped bits were refused", refused, flips)
	}
}

// TestDamageAtWork changes rows behind the back of an open store, as a failing disk does. They are not handed out, and nothing is changed from then on.
func TestDamageAtWork(t *testing.T) {
	for name, change := range map[string]string{
		"payload":  "UPDATE bodies SET payload = x'00'",
		"metadata": "UPDATE bodies SET metadata = '{}'",
		"task":     "UPDATE tasks SET kind = 'other'",
		"lost":     "DELETE FROM bodies",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			d := newDriver(files{time: systemTime()})
			e, other := openNamed(t, d, "first", path), openNamed(t, d, "second", path)
			publish(t, e, newRecord())
			c, err := openConn(dsnOf(path, ""))
			if err == nil {
				err = errors.Join(c.script(change), c.close())
			}
			if err != nil {
				t.Fatal(err)
			}
			if ls, err := e.Receive(t.Context(), 1, time.Minute); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("Receive: %v, %v; expected ErrDamaged and the file's name", ls, err)
			}
			for _, e := range []*engine{e, other} {
				if _, err := e.Publish(t.Context(), []queue.Record{newRecord()}, true); !errors.Is(err, ErrDamaged) {
					t.Errorf("Publish: %v, expected ErrDamaged", err)
				}
				if s, err := e.Stats(t.Context()); err != nil || s.Running != 0 {
					t.Errorf("Stats: %+v, %v", s, err)
				}
			}
			if err := errors.Join(e.Close(t.Context()), other.Close(t.Context())); err != nil {
				t.Error(err)
			}
			if _, err := contents(t.Context(), path); !errors.Is(err, ErrDamaged) {
				t.Errorf("opened again: %v, expected ErrDamaged", err)
			}
		})
	}
}

package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plba/plba/queue"
)

// TestFullFileSystem fills a small file system, which root can make, and makes room again. It fails where it cannot be made if PLBA_TEST_REQUIRE has "tmpfs".
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("PLBA_TEST_REQUIRE"), ","), "tmpfs") {
			t.Fatalf("PLBA_TEST_REQUIRE: a tmpfs cannot be mounted: %v", err)
		}
		t.Skipf("a tmpfs cannot be mounted: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	e := openNamed(t, newDriver(files{time: systemTime()}), "tests", filepath.Join(dir, "queue.db"))
	defer func() {
		if err := e.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	published := 0
	var err error
	for err == nil && published < 10_000 {
		r := newRecord()
		r.Payload.Bytes = []byte(strings.Repeat("x", 1000))
		if _, err = e.Publish(t.Context(), []queue.Record{r}, true); err == nil {
			published++
		}
	}
	if !errors.Is(err, ErrNoSpace) || published < 20 {
		t.Errorf("after %d tasks: %v, expected ErrNoSpace", published, err)
	}
	if s, err := e.Stats(t.Context()); err != nil || s.Ready != int64(published) {
		t.Errorf("Stats on a full disk: %+v, %v; acknowledged were %d", s, err, published)
	}
	if page, err := e.Tasks(t.Context(), queue.Query{Limit: 10}); err != nil || len(page.Tasks) != 10 {
		t.Errorf("Tasks on a full disk: %d, %v", len(page.Tasks), err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	publish(t, e, newRecord())
	audit(t, e)
	for left := published + 1; left > 0; {
		var cs []queue.Completion
		for _, l := range receive(t, e, 100) {
			cs = append(cs, queue.Completion{Token: l.Token})
		}
		complete(t, e, cs...)
		left -= len(cs)
	}
	audit(t, e)
}

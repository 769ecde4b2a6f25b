package plba

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/plba/plba/workers"
)

// price is a section that is followed.
type price struct {
	Cents int `koanf:"cents"`
}

// following says what its price is, and each change of it.
func following(r *Registry) error {
	live, err := Live[price](r, "price")
	if err != nil {
		return err
	}
	live.OnChange(func(old, new price) { fmt.Fprintf(os.Stdout, "from %d to %d\n", old.Cents, new.Cents) })
	r.Worker(workers.Loop("other", func(_ context.Context, s *workers.Session) error {
		s.Ready()
		fmt.Fprintf(os.Stdout, "it is %d\n", live.Get().Cents)
		<-s.Stopping()
		return nil
	}))
	return nil
}

// putFile puts a file in its place at once.
func putFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

// SIGHUP reloads a program, which stays up; a file with faults leaves it as it is.
func TestHangup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cfg.yaml")
	write := func(text string) { putFile(t, path, text) }
	write("price: {cents: 1}")
	c := startChild(t, "following", []string{"-config", path}, "PLBA_TEST_CENTS=3")
	c.await("it is 1\n")
	write("price: {cents: 2}")
	c.signal(syscall.SIGHUP)
	c.await("from 1 to 2\n")
	write("price: {cent: 9}") // told by the log, which says nothing here: only the next one shows that it did not hold
	c.signal(syscall.SIGHUP)
	write("price:\n  cents: ${PLBA_TEST_CENTS}")
	c.signal(syscall.SIGHUP)
	c.await("from 2 to 3\n")
	c.signal(syscall.SIGTERM)
	if code := c.exit(); code != ExitClean {
		t.Errorf("exit code %d\n%s", code, c.text())
	}
}

// The control plane's settings are checked, too, and need a restart.
func TestReloadControlPlane(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cfg.yaml")
	write := func(text string) { putFile(t, path, text) }
	write("platform: {control: {enabled: false}}")
	app, err := New(testModule(func(*Registry) error { return nil }), WithConfigFiles(path), WithOutput(t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	write("platform: {control: {enabled: false, listen: 5}}")
	if _, err := app.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "cfg.yaml:1: platform.control.listen: wants text") {
		t.Errorf("error %v", err)
	}
	write("platform: {control: {enabled: false, listen: 127.0.0.1:1}}")
	done, err := app.Reload(t.Context())
	if err != nil || len(done.Restart) != 1 || done.Restart[0].Key != "platform.control.listen" || len(done.Changed) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if err := app.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

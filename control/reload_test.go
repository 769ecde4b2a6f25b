package control_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// price is a section that is followed.
type price struct {
	Cents int `koanf:"cents"`
}

// following is an application of which a file sets a section that it follows. each change runs tell.
func following(t *testing.T, tell func()) (p *plane, write func(string)) {
	t.Helper()
	b := newBot()
	b.file = filepath.Join(t.TempDir(), "cfg.yaml")
	write = func(text string) {
		if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("price: {cents: 1}")
	b.more = func(r *runtime.Registry) {
		live, err := runtime.Live[price](r, "price")
		if err != nil {
			r.Fault(err)
			return
		}
		live.OnChange(func(_, _ price) { tell() })
	}
	p = planeOf(t, b, nil)
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.token = tokenLine.FindStringSubmatch(p.terminal.String())[1]
	return p, write
}

const reload = "/api/v1/runtime/reload"

func (p *plane) reload() control.Operation {
	p.t.Helper()
	return p.waitOperation(read[control.Operation](p.t, p.command(reload, ""), http.StatusAccepted).ID)
}

// A reload says what changed and what needs a restart; one with faults changes nothing, and tells where they are but not what is set there.
func TestReload(t *testing.T) {
	p, write := following(t, func() {})
	write("price: {cents: 2}\nplatform: {queues: {mails: {capacity: 50}}}")
	o := p.reload()
	want := []control.Setting{{Key: "price.cents", Where: p.bot.file + ":1"}}
	if o.State != control.OperationSucceeded || !slices.Equal(o.Reloaded.Changed, want) || len(o.Reloaded.Restart) != 1 || o.Reloaded.Restart[0].Key != "platform.queues.mails.capacity" {
		t.Errorf("%+v %+v", o, o.Reloaded)
	}
	write("platform: {queues: {mails: {capacity: 50}}}")
	if o = p.reload(); len(o.Reloaded.Changed) != 1 || !o.Reloaded.Changed[0].Removed {
		t.Errorf("%+v %+v", o, o.Reloaded)
	}
	write("price: {cents: S3CR3T}\nprize: 7")
	o = p.reload()
	if o.State != control.OperationFailed || o.Reloaded != nil || strings.Contains(o.Error, "S3CR3T") {
		t.Errorf("%+v", o)
	}
	for _, place := range []string{"cfg.yaml:1 price.cents", "cfg.yaml:2 prize"} {
		if !strings.Contains(o.Error, place) {
			t.Errorf("%q does not tell of %s", o.Error, place)
		}
	}
	if log := p.log.String(); !strings.Contains(log, "S3CR3T") {
		t.Error("the log does not say what is wrong")
	}
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	write("price: {cents: 3}")
	if o = p.reload(); o.State != control.OperationSucceeded {
		t.Errorf("of a stopped runtime: %+v", o)
	}
	if records := p.audit("?asked=reloadConfiguration"); len(records) != 4 || records[0].Operation != o.ID {
		t.Errorf("%+v", records)
	}
}

// While one reload goes on, another is a conflict: those who ask cannot pile them up.
func TestReloadsDoNotPileUp(t *testing.T) {
	told, release := make(chan struct{}), make(chan struct{})
	p, write := following(t, func() { close(told); <-release })
	write("price: {cents: 2}")
	first := read[control.Operation](t, p.command(reload, ""), http.StatusAccepted)
	<-told
	if got := problem(t, p.command(reload, ""), 409); got.State != "reloading" || !strings.Contains(got.Detail, first.ID) {
		t.Errorf("%+v", got)
	}
	close(release)
	if o := p.waitOperation(first.ID); o.State != control.OperationSucceeded {
		t.Errorf("%+v", o)
	}
	if o := p.reload(); o.State != control.OperationSucceeded {
		t.Errorf("%+v", o)
	}
}

// Many faults do not make a long operation.
func TestReloadWithManyFaults(t *testing.T) {
	p, write := following(t, func() {})
	text := strings.Builder{}
	for _, c := range "abcdefghijklmnop" {
		text.WriteString("odd_" + string(c) + ": 1\n")
	}
	write(text.String())
	if o := p.reload(); strings.Count(o.Error, "cfg.yaml") != 10 || !strings.HasSuffix(o.Error, "and 6 more") {
		t.Errorf("%s", o.Error)
	}
	write("\t: [")
	if o := p.reload(); !strings.Contains(o.Error, "cfg.yaml") {
		t.Errorf("%s", o.Error)
	}
	if err := os.Remove(p.bot.file); err != nil {
		t.Fatal(err)
	}
	if o := p.reload(); o.State != control.OperationFailed || o.Error == "" {
		t.Errorf("%+v", o)
	}
}

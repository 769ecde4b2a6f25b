package control_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/control"
)

func socketOf(t *testing.T, more map[string]any) (p *plane, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	settings := map[string]any{"platform.control.socket.path": path}
	for k, v := range more {
		settings[k] = v
	}
	return startPlane(t, settings), path
}

func TestSocketFile(t *testing.T) {
	p, path := socketOf(t, nil)
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// Whoever may open it is known by that.
	c := dialSocket(t, path)
	if _, failed := c.ask(t, "", "pauseWorker", in{"name": "mail-polling"}); failed != nil {
		t.Errorf("%+v", *failed)
	}
	if got := p.audit("")[0]; got.Channel != "socket" || got.Role != control.Admin || got.By == "" {
		t.Errorf("%+v", got)
	}
	// Another program on the same socket is refused.
	other := newPlane(t, map[string]any{"platform.control.socket.path": path})
	if err := other.app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another program listens on "+path) {
		t.Errorf("%v", err)
	}
	if _, err := p.app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	// One that a dead process has left is replaced; what is no socket is not.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	dialSocket(t, path)
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	precious := newPlane(t, map[string]any{"platform.control.socket.path": file})
	if err := precious.app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "is there and is no socket") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "data" {
		t.Errorf("%s %v", text, err)
	}
}

func TestSocketOfAGroup(t *testing.T) {
	_, path := socketOf(t, map[string]any{"platform.control.socket.group": true, "platform.control.socket.role": "viewer"})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	c := dialSocket(t, path)
	if _, failed := c.ask(t, "", "stopRuntime", nil); failed == nil || failed.kind != "denied" {
		t.Errorf("%+v", failed)
	}
}

// What cannot be read is refused, and the conversation goes on.
func TestSocketLines(t *testing.T) {
	p, path := socketOf(t, nil)
	c := dialSocket(t, path)
	for _, bad := range []string{
		`{`, `[]`, `null x`, `"x"`, `{"operation":7}`, `{"odd":1}`, `{"id":{},"operation":"getRuntime"}`, `{"id":"` + strings.Repeat("x", 200) + `","operation":"getRuntime"}`,
		`{"operation":"getRuntime"} {}`, `{"operation":"getWorker","input":[]}`, `{"operation":"getWorker","input":7}`, strings.Repeat("[", 10_000),
	} {
		c.send(t, bad)
		if l := c.receive(t); l.Error == nil || l.Error.Kind != "invalid" || strings.Contains(l.Error.Detail, "xxx") {
			t.Errorf("%.40s: %+v", bad, l)
		}
	}
	c.send(t, "\n\n"+`{"id":"a","operation":"operations"}`)
	l := c.receive(t)
	var list []control.Descriptor
	if err := json.Unmarshal(l.Result, &list); err != nil || l.ID != "a" || len(list) < 30 {
		t.Errorf("%+v, %v", l, err)
	}
	c.send(t, `{"operation":"getLiveness"}`)
	if l := c.receive(t); l.ID != nil || l.Error != nil {
		t.Errorf("%+v", l)
	}
	// A line that is too long ends it.
	go func() { _, _ = c.conn.Write([]byte(strings.Repeat("x", 2<<20))) }()
	if l := c.receive(t); l.Error == nil || !strings.Contains(l.Error.Detail, "at most 1048576 bytes") {
		t.Errorf("%+v", l)
	}
	if c.lines.Scan() {
		t.Error("the connection goes on")
	}
	if !p.app.Ready() {
		t.Error("one of them stopped the runtime")
	}
}

func TestSocketStreams(t *testing.T) {
	p, path := socketOf(t, nil)
	c := dialSocket(t, path)
	c.send(t, `{"id":1,"operation":"watchEvents","input":{"type":["operation"]}}`)
	eventually(t, "an event comes", func() bool {
		p.command(mailWorker+"/pause", "")
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		l := c.receive(t)
		return l.Event != nil && l.Event.Operation != nil && l.Event.Operation.Asked == "pauseWorker"
	})
	bad := dialSocket(t, path)
	if _, failed := bad.ask(t, "", "watchEvents", in{"type": []string{"odd"}}); failed == nil || failed.kind != "invalid" {
		t.Errorf("%+v", failed)
	}
	idle := dialSocket(t, path)
	if _, err := p.app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		if l := c.receive(t); l.Error != nil {
			if l.Error.Kind != "unavailable" {
				t.Errorf("%+v", l.Error)
			}
			break
		}
	}
	if c.lines.Scan() || idle.lines.Scan() {
		t.Error("a connection goes on")
	}
}

func TestSocketConnectionsAreBounded(t *testing.T) {
	_, path := socketOf(t, nil)
	var all []overSocket
	for range 64 {
		c := dialSocket(t, path)
		c.ask(t, "", "getLiveness", nil)
		all = append(all, c)
	}
	c := dialSocket(t, path)
	if l := c.receive(t); l.Error == nil || l.Error.Kind != "too_many" {
		t.Errorf("%+v", l)
	}
	_ = all[0].conn.Close()
	eventually(t, "there is room again", func() bool {
		c := dialSocket(t, path)
		defer func() { _ = c.conn.Close() }()
		_, _ = c.conn.Write([]byte(`{"operation":"getLiveness"}` + "\n"))
		return c.receive(t).Error == nil
	})
}

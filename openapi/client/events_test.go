package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/plba/plba/internal/demo"
	"github.com/plba/plba/openapi/client"
)

func TestWatch(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *demo.App, as func(string) *client.Client) {
		c := as(demo.Operator)
		pause := func(reason string) {
			if _, err := c.PauseWorker(t.Context(), "mail-polling", client.ReasonBody{Reason: reason}); err != nil {
				t.Error(err)
			}
		}
		pause("before")
		before, err := c.ListEvents(t.Context(), client.ListEventsParams{Type: []client.EventType{client.EventTypeOperation}})
		if err != nil || len(before.Events) != 2 {
			t.Fatalf("%+v, %v", before, err)
		}
		pause("after")
		var reasons []string
		for e, err := range c.Watch(t.Context(), client.Watch{Types: []client.EventType{client.EventTypeOperation}, Name: "mail-polling", After: before.Last}) {
			if err != nil {
				t.Fatal(err)
			}
			if reasons = append(reasons, e.Operation.Reason+" "+string(e.Operation.State)); len(reasons) == 2 {
				break
			}
		}
		if got := strings.Join(reasons, ", "); got != "after running, after succeeded" {
			t.Error(got)
		}
	})
}

func TestWatchRefused(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *demo.App, as func(string) *client.Client) {
		for token, kind := range map[string]error{demo.Viewer: client.ErrInvalid, "forged": client.ErrUnauthenticated} {
			n := 0
			for _, err := range as(token).Watch(t.Context(), client.Watch{Types: []client.EventType{"odd"}}) {
				if n++; !errors.Is(err, kind) {
					t.Errorf("%v", err)
				}
			}
			if n != 1 {
				t.Errorf("%d answers", n)
			}
		}
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *demo.App, as func(string) *client.Client) {
		gone := errors.New("the operator has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		var last error
		for _, err := range as(demo.Viewer).Watch(ctx, client.Watch{After: "from-long-ago"}) { // told as missed at once
			last = err
			cancel(gone)
		}
		if !errors.Is(last, gone) {
			t.Errorf("%v", last)
		}
		cancel(nil)
	})
}

// A connection that is cut is made again, and nothing is told twice or left out.
func TestWatchResumes(t *testing.T) {
	for name, network := range map[string]string{"http": "tcp", "socket": "unix"} {
		t.Run(name, func(t *testing.T) {
			a := demo.Start(t, nil)
			way := relayTo(t, network, map[string]string{"tcp": strings.TrimPrefix(a.HTTP, "http://"), "unix": strings.TrimPrefix(a.Socket, "unix://")}[network])
			direct := connect(t, a.HTTP, client.WithToken(demo.Operator))
			pause := func(reason string) {
				if _, err := direct.PauseWorker(t.Context(), "mail-polling", client.ReasonBody{Reason: reason}); err != nil {
					t.Error(err)
				}
			}
			broken := 0
			w := client.Watch{Types: []client.EventType{client.EventTypeOperation}, After: "from-the-beginning", Broken: func(err error) {
				if broken++; err == nil {
					t.Error("no cause")
				}
				pause("while it was cut")
			}}
			pause("before")
			var told []string
			for e, err := range connect(t, way.address, client.WithToken(demo.Viewer)).Watch(t.Context(), w) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Operation == nil || e.Operation.State != client.OperationStateSucceeded {
					continue
				}
				if told = append(told, e.Operation.Reason); len(told) == 2 {
					break
				}
				way.cut()
			}
			if got := strings.Join(told, ", "); got != "before, while it was cut" || broken != 1 {
				t.Errorf("%s; broken %d times", got, broken)
			}
		})
	}
}

// An application that has ended and come again has not the events of before: it says so.
func TestWatchAcrossARestart(t *testing.T) {
	path := t.TempDir() + "/plba.sock"
	first := demo.New(t, map[string]any{"platform.control.socket.path": path})
	first.Run(t)
	var second *demo.App
	var types []client.EventType
	w := client.Watch{Types: []client.EventType{client.EventTypeRuntime}, After: "from-the-beginning", Broken: func(error) {
		if second == nil {
			second = demo.Start(t, map[string]any{"platform.control.socket.path": path})
		}
	}}
	for e, err := range connect(t, "unix://"+path, client.WithToken(demo.Viewer)).Watch(t.Context(), w) {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Type)
		if e.Runtime != nil && e.Runtime.To == client.RuntimeStateRunning {
			if second != nil {
				break
			}
			types = nil
			if _, err := first.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(types) == 0 || types[len(types)-1] != client.EventTypeRuntime || !contains(types, client.EventTypeMissed) {
		t.Errorf("%v", types)
	}
}

func contains(list []client.EventType, one client.EventType) bool {
	for _, e := range list {
		if e == one {
			return true
		}
	}
	return false
}

// relay passes bytes on until it is told to cut them off.
type relay struct {
	address string
	conns   chan net.Conn
}

func relayTo(t *testing.T, network, target string) *relay {
	t.Helper()
	at, scheme := "127.0.0.1:0", "http://"
	if network == "unix" {
		at, scheme = t.TempDir()+"/relay.sock", "unix://"
	}
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{scheme + l.Addr().String(), make(chan net.Conn, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var pumps []chan struct{}
		for {
			in, err := l.Accept()
			if err != nil {
				break
			}
			out, err := net.Dial(network, target)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.conns <- in
			pumps = append(pumps, pump(in, out), pump(out, in))
		}
		for _, p := range pumps {
			<-p
		}
	}()
	t.Cleanup(func() { _ = l.Close(); r.cut(); <-done })
	return r
}

func pump(from, to net.Conn) chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				_, _ = to.Write(buf[:n])
			}
			if err != nil {
				_ = to.Close()
				return
			}
		}
	}()
	return done
}

func (r *relay) cut() {
	for {
		select {
		case c := <-r.conns:
			_ = c.Close()
		default:
			return
		}
	}
}

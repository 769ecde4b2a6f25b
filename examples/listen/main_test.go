package main

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/workers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask says a name and gives what comes back until the other side hangs up.
func ask(t *testing.T, c net.Conn, name string) string {
	t.Helper()
	if _, err := io.WriteString(c, name+"\n"); err != nil {
		t.Error(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(answer)
}

func TestOutput(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := plbatest.Start(t, &module{func() (net.Listener, error) { return l, nil }})
	slow := dial(t, l.Addr())
	defer slow.Close()
	app.WaitState("greeter", workers.Busy) // it has been let in
	c := dial(t, l.Addr())
	defer c.Close()
	if answer := ask(t, c, "world"); answer != "hello, world\n" {
		t.Errorf("answer %q", answer)
	}

	greeted := make(chan string, 1)
	go func() { // says its name only when the stop has begun
		app.WaitState("greeter", workers.Stopping)
		greeted <- ask(t, slow, "late")
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rec, err := app.Stop(ctx)
	if answer := <-greeted; err != nil || !rec.Clean || answer != "hello, late\n" {
		t.Errorf("answer %q, %v\n%s", answer, err, rec)
	}
}

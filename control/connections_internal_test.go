package control

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Who waits longest goes first; who is being answered does not go.
func TestConnectionsAreBounded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/hold", func(w http.ResponseWriter, _ *http.Request) { close(entered); <-release; w.WriteHeader(204) })
	mux.HandleFunc("/quick", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	c := bound(s, 3)
	served := make(chan struct{})
	go serve(s, l, served, quiet())
	defer func() { _ = s.Close(); <-served }()

	dial := func(sends string) *bufio.Reader {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(conn, sends); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(conn)
	}
	request := func(path string) string { return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path) }
	answered := func(r *bufio.Reader) {
		t.Helper()
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 204 {
			t.Errorf("%v, %v", res, err)
		}
	}
	cut := func(r *bufio.Reader) {
		t.Helper()
		if n, err := r.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("%d bytes, %v: it is still open", n, err)
		}
	}
	held := dial(request("/hold"))
	<-entered
	half := dial("GET /quick HT")
	idle := dial(request("/quick"))
	answered(idle)
	answered(dial(request("/quick"))) // half goes
	cut(half)
	answered(dial(request("/quick"))) // idle goes
	cut(idle)
	close(release)
	answered(held) // nothing keeps who is being answered from it

	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) > 3 || c.waiting.Len() > len(c.open) {
		t.Errorf("%d open, %d waiting", len(c.open), c.waiting.Len())
	}
}

// While all are being answered a new one is not taken.
func TestConnectionsAreRefused(t *testing.T) {
	c := bound(&http.Server{ReadHeaderTimeout: time.Minute}, 1)
	first, _ := net.Pipe()
	second, _ := net.Pipe()
	if c.add(first) != nil {
		t.Error("the first is refused")
	}
	c.answering(first)
	if c.add(second) != second {
		t.Error("the second is taken")
	}
	c.note(second, http.StateClosed) // changes nothing: it was never taken
	c.wait(first)
	if c.add(second) != first || len(c.open) != 1 || c.waiting.Len() != 1 {
		t.Errorf("%d open, %d waiting", len(c.open), c.waiting.Len())
	}
	c.wait(first) // it is gone by now
	c.answering(first)
	if c.note(second, http.StateHijacked); len(c.open) != 0 || c.waiting.Len() != 0 {
		t.Errorf("%d open, %d waiting", len(c.open), c.waiting.Len())
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

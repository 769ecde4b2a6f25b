package workers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// serving is a started Serve worker on a port of the system's choice.
type serving struct {
	workers.Worker
	t      *testing.T
	url    string
	log    *syncBuffer
	client *http.Client
}

func serve(t *testing.T, h http.HandlerFunc) *serving {
	t.Helper()
	s := &serving{t: t, log: &syncBuffer{}, client: &http.Client{Transport: &http.Transport{}}}
	s.Worker = workers.Serve("web", "127.0.0.1:0", h, workers.OnListen(func(a net.Addr) { s.url = "http://" + a.String() }))
	if err := s.Worker.(workers.Equipped).Equip(workers.Env{Logger: slog.New(slog.NewTextHandler(s.log, nil))}); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(over(), forever())
		s.client.CloseIdleConnections()
	})
	return s
}

// get gives status and body; "" and the error when there is no whole answer.
func (s *serving) get(path string) (int, string, error) {
	resp, err := s.client.Get(s.url + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

type syncBuffer struct {
	recorder
	b bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestServeAnswersAndCounts(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.URL.Path) })
	for range 3 {
		if code, body, err := s.get("/x"); code != 200 || body != "hello /x" || err != nil {
			t.Fatalf("%d %q %v", code, body, err)
		}
	}
	r := s.Stop(forever(), forever())
	if st := s.Status(); st.Done != 3 || st.Failed != 0 || st.Kind != "serve" || st.State != workers.Stopped || r != (workers.Receipt{}) {
		t.Errorf("status %+v, receipt %+v", st, r)
	}
	if _, _, err := s.get("/x"); err == nil {
		t.Error("answered after the stop")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal("Start after Stop:", err)
	}
	if code, _, err := s.get("/x"); code != 200 {
		t.Errorf("after the second start: %d, %v", code, err)
	}
}

// A graceful stop closes the port at once and lets the request in flight end.
func TestServeGracefulStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	answer := make(chan string, 1)
	go func() { _, body, _ := s.get("/"); answer <- body }()
	<-entered
	if st := s.Status(); st.State != workers.Busy || st.InFlight != 1 {
		t.Errorf("status %+v", st)
	}
	receipt := make(chan workers.Receipt, 1)
	go func() { receipt <- s.Stop(forever(), forever()) }()
	for addr := strings.TrimPrefix(s.url, "http://"); ; { // the port closes while the request goes on
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	close(release)
	if body := <-answer; body != "whole" {
		t.Errorf("body %q", body)
	}
	if r := <-receipt; r != (workers.Receipt{Finished: 1}) {
		t.Errorf("receipt %+v", r)
	}
}

// A forced stop ends the contexts of requests with the cause; a request that ignores it is abandoned and counted.
func TestServeForcedStop(t *testing.T) {
	for name, c := range map[string]struct {
		ignore  bool
		receipt workers.Receipt
	}{
		"heeded":  {false, workers.Receipt{Finished: 1}},
		"ignored": {true, workers.Receipt{Abandoned: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			entered, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var cause error
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(left)
				close(entered)
				<-r.Context().Done()
				cause = context.Cause(r.Context())
				if c.ignore {
					<-release
				}
			})
			cut := make(chan error, 1)
			go func() { _, _, err := s.get("/"); cut <- err }()
			<-entered
			hard := forever()
			if c.ignore {
				hard = after(t, 50*time.Millisecond)
			}
			if r := s.Stop(over(), hard); r != c.receipt {
				t.Errorf("receipt %+v, want %+v", r, c.receipt)
			}
			close(release)
			<-left
			if <-cut; !errors.Is(cause, task.ErrForced) {
				t.Errorf("cause %v", cause)
			}
		})
	}
}

func TestServePanics(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/begun":
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "half")
			panic("later")
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/exit":
			goexit()
		}
		w.Header().Set("Content-Type", "application/json")
		panic("at once")
	})
	if code, body, err := s.get("/"); code != 500 || body != "" || err != nil {
		t.Errorf("a panic: %d %q %v", code, body, err)
	}
	for _, path := range []string{"/begun", "/abort", "/exit"} {
		if code, body, err := s.get(path); err == nil {
			t.Errorf("%s: taken for a whole answer: %d %q", path, code, body)
		}
	}
	s.Stop(forever(), forever()) // waits for the books of the last request
	if st := s.Status(); st.Failed != 4 || st.Done != 0 || s.Err() != nil {
		t.Errorf("status %+v, err %v", st, s.Err())
	}
	if log := s.log.text(); strings.Count(log, "request panicked") != 2 || !strings.Contains(log, "TestServePanics") {
		t.Errorf("want two panics with their stacks:\n%s", log)
	}
}

// A port that is taken fails the start, and says whose.
func TestServePortTaken(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := workers.Serve("web", l.Addr().String(), http.NotFoundHandler())
	equip(t, w)
	err = w.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), `worker "web"`) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Start: %v", err)
	}
	if w.Status().State != workers.Stopped {
		t.Errorf("status %+v", w.Status())
	}
}

// A panic in OnListen fails the start and gives the port back.
func TestServeOnListenPanics(t *testing.T) {
	var addr net.Addr
	w := workers.Serve("web", "127.0.0.1:0", http.NotFoundHandler(), workers.OnListen(func(a net.Addr) { addr = a; panic("no") }))
	equip(t, w)
	if err := w.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: no") {
		t.Errorf("Start: %v", err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal("the port is still held:", err)
	}
	_ = l.Close()
}

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/internal/demo"
	"github.com/plba/plba/openapi/client"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, address string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// overBoth runs a test over HTTP and over the socket, each with an application of its own.
func overBoth(t *testing.T, test func(t *testing.T, a *demo.App, as func(token string) *client.Client)) {
	for name, address := range map[string]func(*demo.App) string{
		"http":   func(a *demo.App) string { return a.HTTP },
		"socket": func(a *demo.App) string { return a.Socket },
	} {
		t.Run(name, func(t *testing.T) {
			a := demo.Start(t, nil)
			test(t, a, func(token string) *client.Client { return connect(t, address(a), client.WithToken(token)) })
		})
	}
}

func TestReads(t *testing.T) {
	overBoth(t, func(t *testing.T, a *demo.App, as func(string) *client.Client) {
		ctx, c := t.Context(), as(demo.Operator)
		a.Publish(t, demo.Mail{ID: 7, Fail: "no such customer"}, demo.Mail{ID: 8})
		eventually(t, "both mails are through", func() bool {
			q, err := c.GetQueue(ctx, "mails")
			return err == nil && q.Stats != nil && q.Stats.Dead == 1 && q.Stats.Completed == 1
		})
		run, err := c.GetRuntime(ctx)
		if err != nil || run.Name != "mail_order_bot" || !run.Ready || len(run.Workers) != 2 || run.LastStop != nil {
			t.Errorf("%+v, %v", run, err)
		}
		list, err := c.ListTasks(ctx, "mails", client.ListTasksParams{State: []client.TaskState{client.TaskStateDead, client.TaskStateRunning}, Limit: 1})
		if err != nil || len(list.Tasks) != 1 || list.Tasks[0].Failures[0].Error != "orders/store: mail 7: no such customer" {
			t.Fatalf("%+v, %v", list, err)
		}
		p, err := c.GetTaskPayload(ctx, "mails", list.Tasks[0].ID)
		if mail := (demo.Mail{}); err != nil || json.Unmarshal(p.JSON, &mail) != nil || mail.ID != 7 {
			t.Errorf("%+v, %v", p, err)
		}
		g, err := c.GetPipeline(ctx, "orders")
		if err != nil || len(g.Nodes) != 3 {
			t.Errorf("%+v, %v", g, err)
		}
		traces, err := c.ListTraces(ctx, client.ListTracesParams{Kind: client.TraceKindTransition, Limit: 1})
		if err != nil || len(traces.Traces) != 1 || traces.Traces[0].Kind != client.TraceKindTransition {
			t.Errorf("%+v, %v", traces, err)
		}
		if ready, err := c.GetReadiness(ctx); err != nil || !ready.Ok {
			t.Errorf("%+v, %v", ready, err)
		}
	})
}

func TestCommandsAndTheirEnd(t *testing.T) {
	overBoth(t, func(t *testing.T, a *demo.App, as func(string) *client.Client) {
		ctx, c := t.Context(), as(demo.Operator)
		o, err := c.PauseWorker(ctx, "mail-polling", client.ReasonBody{Reason: "night"})
		if err != nil || o.State != client.OperationStateSucceeded || o.By != demo.Operator || o.Reason != "night" {
			t.Fatalf("%+v, %v", o, err)
		}
		a.Publish(t, demo.Mail{ID: 1, Hold: true})
		<-a.Held
		if o, err = c.StopWorker(ctx, "email-processing", client.WorkerStopBody{Timeout: "1m"}); err != nil || o.State != client.OperationStateRunning {
			t.Fatalf("%+v, %v", o, err)
		}
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		if _, err := c.Wait(short, o); err == nil {
			t.Error("the wait is over although the handler waits")
		}
		a.Release()
		if o, err = c.Wait(ctx, o); err != nil || o.State != client.OperationStateSucceeded || o.WorkerReceipt.Outcome != client.StopOutcomeDrained {
			t.Errorf("%+v, %v", o, err)
		}
		if again, err := c.Wait(ctx, o); again != o || err != nil {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *demo.App, as func(string) *client.Client) {
		ctx := t.Context()
		ask := map[string]struct {
			kind error
			call func() error
		}{
			"unknown worker": {client.ErrNotFound, func() error { _, err := as(demo.Viewer).GetWorker(ctx, "mail-poling"); return err }},
			"odd name":       {client.ErrNotFound, func() error { _, err := as(demo.Viewer).GetWorker(ctx, "ä b?x=%41#"); return err }},
			"wrong role": {client.ErrDenied, func() error {
				_, err := as(demo.Viewer).PauseWorker(ctx, "mail-polling", client.ReasonBody{})
				return err
			}},
			"forged token": {client.ErrUnauthenticated, func() error { _, err := as("forged").GetRuntime(ctx); return err }},
			"runs already": {client.ErrConflict, func() error { _, err := as(demo.Admin).StartRuntime(ctx, client.ReasonBody{}); return err }},
			"bad timeout": {client.ErrInvalid, func() error {
				_, err := as(demo.Admin).StopRuntime(ctx, client.StopBody{Timeout: "10"})
				return err
			}},
			"no states": {client.ErrInvalid, func() error { _, err := as(demo.Admin).PurgeQueue(ctx, "mails", client.PurgeBody{}); return err }},
			"bad filter": {client.ErrInvalid, func() error {
				_, err := as(demo.Viewer).ListTasks(ctx, "mails", client.ListTasksParams{State: []client.TaskState{"odd"}})
				return err
			}},
		}
		for what, a := range ask {
			err := a.call()
			problem := (*client.Error)(nil)
			if !errors.Is(err, a.kind) || !errors.As(err, &problem) || problem.Status < 400 || problem.Title == "" || problem.Detail == "" {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := as(demo.Admin).StartRuntime(ctx, client.ReasonBody{})
		if problem := (*client.Error)(nil); !errors.As(err, &problem) || problem.State == "" || len(problem.Allowed) == 0 {
			t.Errorf("%+v", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "unix://host/path", "unix://", "http://u:p@x", "http://x?y", "http://x:port", "\x00"} {
		if c, err := client.New(bad); err == nil {
			t.Errorf("%q: %s", bad, c.Address())
		}
	}
}

// Where nobody answers, or somebody else, the error says so, and names the address.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/odd/api/v1/runtime":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`[`))
		case "/moved/api/v1/runtime":
			http.Redirect(w, r, "/odd/api/v1/runtime", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer other.Close()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"http://" + l.Addr().String(), other.URL, other.URL + "/odd/", other.URL + "/moved", "unix:///nowhere/plba.sock", "unix://" + file} {
		c := connect(t, address, client.WithToken("t"))
		_, err := c.GetRuntime(t.Context())
		unreachable := (*client.UnreachableError)(nil)
		if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), strings.TrimSuffix(address, "/")) {
			t.Errorf("%s: %v", address, err)
		}
		for _, err := range c.Watch(t.Context(), client.Watch{}) {
			if !errors.As(err, &unreachable) {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

func TestTheCallersContext(t *testing.T) {
	silent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer server.Close()
	defer close(silent)
	if _, err := connect(t, server.URL, client.WithTimeout(50*time.Millisecond)).GetRuntime(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	gone := errors.New("the operator has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	if _, err := connect(t, server.URL).GetRuntime(ctx); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A control plane under a prefix of an application's own server is reached by that prefix.
func TestPrefix(t *testing.T) {
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write([]byte(`{"workers": [], "later": {"versions": ["know", "more"]}}`))
	}))
	defer server.Close()
	c := connect(t, server.URL+"/orders/", client.WithToken("t"))
	_, err := c.ListWorkers(t.Context(), client.ListWorkersParams{Kind: "a b&c", Limit: 3})
	if got := <-asked; err != nil || got != "GET /orders/api/v1/workers?kind=a+b%26c&limit=3 Bearer t" {
		t.Errorf("%s, %v", got, err)
	}
}

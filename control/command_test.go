package control_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/control"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// A runtime can be stopped and started again through the API; process and channel stay.
func TestStopAndStartAgain(t *testing.T) {
	p := startPlane(t, nil)
	addr := p.http.Addr()
	for round := range 3 {
		stop := p.command("/api/v1/runtime/stop", `{"reason":"new price list"}`)
		got := read[control.Operation](t, stop, http.StatusAccepted)
		if got.Asked != "stopRuntime" || got.By != "first-run" || got.Mode != control.Graceful || stop.header.Get("Location") != "/api/v1/operations/"+got.ID {
			t.Fatalf("round %d: %+v", round, got)
		}
		info := p.waitState(workers.Stopped)
		if info.LastStop == nil || !info.LastStop.Clean || info.LastStop.Reason != "new price list (asked for by first-run)" || len(info.LastStop.Workers) != 2 {
			t.Fatalf("round %d: receipt %+v", round, info.LastStop)
		}
		started := read[control.Operation](t, p.command("/api/v1/runtime/start", ""), http.StatusAccepted)
		if started.State == control.OperationFailed || started.Asked != "startRuntime" {
			t.Fatalf("round %d: %+v", round, started)
		}
		p.waitState(workers.Idle)
		p.publish(round)
	}
	eventually(t, "the last command has ended", func() bool {
		c := read[control.RuntimeInfo](t, p.get("/api/v1/runtime"), 200).LastOperation
		return c != nil && c.Asked == "startRuntime" && !c.EndedAt.IsZero() && c.Error == ""
	})
	if p.http.Addr() != addr {
		t.Errorf("the address moved from %s to %s", addr, p.http.Addr())
	}
	if n := strings.Count(p.log.String(), `"msg":"control command"`); n != 6 {
		t.Errorf("%d commands in the log, want 6", n)
	}
}

func TestCommandsThatDoNotApply(t *testing.T) {
	p := startPlane(t, nil)
	conflict := func(a answer, state string, allowed ...string) {
		t.Helper()
		if got := problem(t, a, 409); got.State != state || !slices.Equal(got.Allowed, allowed) {
			t.Errorf("state %q, allowed %q; want %q, %q", got.State, got.Allowed, state, allowed)
		}
	}
	p.waitState(workers.Idle)
	conflict(p.command("/api/v1/runtime/start", ""), "idle", "stopped")

	release := p.bot.holdHandlers(t)
	p.publish(1)
	conflict(p.command("/api/v1/runtime/start", ""), "busy", "stopped")
	read[control.Operation](t, p.command("/api/v1/runtime/stop", "{}"), 202)
	conflict(p.command("/api/v1/runtime/start", ""), "stopping", "stopped")
	conflict(p.command("/api/v1/runtime/stop", ""), "stopping", "starting", "idle", "busy", "stopping with mode force")
	release()
	p.waitState(workers.Stopped)
	conflict(p.command("/api/v1/runtime/stop", ""), "stopped", "starting", "idle", "busy")
	conflict(p.command("/api/v1/runtime/stop", `{"mode":"force"}`), "stopped", "starting", "idle", "busy")
}

func TestForce(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		p := startPlane(t, nil)
		p.bot.holdHandlers(t)
		p.publish(1)
		read[control.Operation](t, p.command("/api/v1/runtime/stop", `{"mode":"force"}`), 202)
		checkForced(t, p)
	})
	t.Run("a stop under way", func(t *testing.T) {
		p := startPlane(t, nil)
		p.bot.holdHandlers(t)
		p.publish(1)
		read[control.Operation](t, p.command("/api/v1/runtime/stop", ""), 202)
		read[control.Operation](t, p.command("/api/v1/runtime/stop", `{"mode":"force"}`), 202)
		checkForced(t, p)
	})
	t.Run("after the timeout", func(t *testing.T) {
		p := startPlane(t, nil)
		p.bot.holdHandlers(t)
		p.publish(1)
		got := read[control.Operation](t, p.command("/api/v1/runtime/stop", `{"timeout":"100ms"}`), 202)
		if got.TimeoutSeconds != 0.1 {
			t.Errorf("timeout %v", got.TimeoutSeconds)
		}
		checkForced(t, p)
	})
}

func checkForced(t *testing.T, p *plane) {
	t.Helper()
	info := p.waitState(workers.Stopped)
	if info.LastStop.Clean || info.LastStop.Workers[0].Outcome != runtime.Forced {
		t.Errorf("receipt %+v", info.LastStop)
	}
	eventually(t, "the command has ended", func() bool {
		c := read[control.RuntimeInfo](t, p.get("/api/v1/runtime"), 200).LastOperation
		return !c.EndedAt.IsZero() && c.Error == runtime.ErrNotClean.Error()
	})
}

// With exit the process' Run ends, and with it the channel.
func TestExit(t *testing.T) {
	for _, stopFirst := range []bool{false, true} {
		p := newPlane(t, nil)
		over := make(chan error, 1)
		var receipt runtime.Receipt
		go func() { over <- p.app.Run(context.Background(), func(r runtime.Receipt) { receipt = r }) }()
		eventually(t, "it runs", p.app.Ready)
		p.token = tokenLine.FindStringSubmatch(p.terminal.String())[1]
		if stopFirst {
			p.command("/api/v1/runtime/stop", "")
			p.waitState(workers.Stopped)
		}
		got := read[control.Operation](t, p.command("/api/v1/runtime/stop", `{"exit":true,"reason":"upgrade"}`), 202)
		if !got.Exit {
			t.Errorf("%+v", got)
		}
		select {
		case err := <-over:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("Run does not end")
		}
		if !stopFirst && receipt.Reason != "upgrade (asked for by first-run)" {
			t.Errorf("receipt %+v", receipt)
		}
		if p.http.Addr() != "" {
			t.Errorf("the channel still listens on %s", p.http.Addr())
		}
	}
}

// The channel is up while the first start goes on: it shows the start, and can interrupt it.
func TestDuringTheFirstStart(t *testing.T) {
	b := newBot()
	b.slow = make(chan struct{})
	p := planeOf(t, b, nil)
	over := make(chan error, 1)
	go func() { over <- p.app.Run(context.Background(), nil) }()
	eventually(t, "the channel listens", func() bool { return strings.Contains(p.terminal.String(), "http://") })
	p.token = tokenLine.FindStringSubmatch(p.terminal.String())[1]
	for path, want := range map[string]string{"/readyz": "the runtime is starting", "/startupz": "the runtime has not come up yet; it is starting"} {
		if got := problem(t, p.get(path), 503); got.Detail != want {
			t.Errorf("%s: %s", path, got.Detail)
		}
	}
	if a := p.get("/livez"); a.status != 200 {
		t.Errorf("/livez: %d", a.status)
	}
	if got := problem(t, p.command("/api/v1/runtime/start", ""), 409); got.State != "starting" {
		t.Errorf("%+v", got)
	}
	read[control.Operation](t, p.command("/api/v1/runtime/stop", ""), 202)
	p.waitState(workers.Stopped)
	read[control.Operation](t, p.command("/api/v1/runtime/start", ""), 202)
	p.waitState(workers.Starting)
	read[control.Operation](t, p.command("/api/v1/runtime/stop", `{"exit":true}`), 202)
	select {
	case err := <-over:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
}

// A start that fails leaves the control plane up, and tells why.
func TestStartThatFails(t *testing.T) {
	p := startPlane(t, nil)
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	p.bot.breakShop(errors.New("the shop is closed"))
	read[control.Operation](t, p.command("/api/v1/runtime/start", ""), 202)
	var c *control.Operation
	eventually(t, "the start has ended", func() bool {
		c = read[control.RuntimeInfo](t, p.get("/api/v1/runtime"), 200).LastOperation
		return c.Asked == "startRuntime" && !c.EndedAt.IsZero()
	})
	if !strings.Contains(c.Error, "the shop is closed") {
		t.Errorf("error %q", c.Error)
	}
	p.bot.breakShop(nil)
	read[control.Operation](t, p.command("/api/v1/runtime/start", ""), 202)
	p.waitState(workers.Idle)
}

// The end of the application interrupts a start that was asked for over the API, and neither waits for the other for ever.
func TestStopOfTheApplicationDuringACommand(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.shutdown.timeout": "5s"})
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	entered := make(chan struct{})
	p.bot.blockShop(entered)
	read[control.Operation](t, p.command("/api/v1/runtime/start", ""), 202)
	<-entered
	began := time.Now()
	rec, err := p.app.Stop(t.Context())
	if err != nil || !rec.Clean {
		t.Errorf("%v %+v", err, rec)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if p.http.Addr() != "" {
		t.Error("the channel still listens")
	}
}

func TestBodiesOfAStop(t *testing.T) {
	p := startPlane(t, nil)
	for body, want := range map[string]struct {
		status   int
		location string
	}{
		`{"mode":"softly"}`:                    {422, "body.mode"},
		`{"mode":7}`:                           {422, "body.mode"},
		`{"timeout":30}`:                       {422, "body.timeout"},
		`{"timeout":"soon"}`:                   {422, "body.timeout"},
		`{"timeout":"0s"}`:                     {422, "body.timeout"},
		`{"timeout":"-5s"}`:                    {422, "body.timeout"},
		`{"timeout":"25h"}`:                    {422, "body.timeout"},
		`{"timeout":"99999999999999999999h"}`:  {422, "body.timeout"},
		`{"exit":"yes"}`:                       {422, "body.exit"},
		`{"exit":true,"mode":"force"}`:         {422, "body.exit"},
		`{"exit":true,"timeout":"5s"}`:         {422, "body.exit"},
		`{"reason":"a\nb"}`:                    {422, "body.reason"},
		`{"reason":"\u001b[31mred"}`:           {422, "body.reason"},
		`{"reason":"\u202egnp.exe"}`:           {422, "body.reason"},
		`{"tiemout":"5s"}`:                     {422, "body.tiemout"},
		`{"mode":"graceful","MODE":"sneaky"}`:  {422, "body.MODE"},
		`[]`:                                   {422, "body"},
		`null`:                                 {422, "body"},
		`"graceful"`:                           {422, "body"},
		`{"mode":"graceful"`:                   {400, "body"},
		`{"mode":"graceful"} {"mode":"force"}`: {400, "body"},
		`{"mode":"graceful"}x`:                 {400, "body"},
		`mode=force`:                           {400, "body"},
		`{"timeout":1e999}`:                    {400, "body"},
		strings.Repeat("[", 200_000):           {400, "body"},
		`{"reason":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_001): {400, "body"},
	} {
		got := problem(t, p.command("/api/v1/runtime/stop", body), want.status)
		if len(got.Errors) == 0 || got.Errors[0].Location != want.location {
			t.Errorf("%.60s: %+v, want %s", body, got, want.location)
		}
	}
	if !p.app.Ready() {
		t.Error("one of them stopped the runtime")
	}
}

// The service refuses the same without HTTP.
func TestServiceWithoutHTTP(t *testing.T) {
	p := startPlane(t, nil)
	svc := control.NewService(p.app)
	var e *control.Error
	if _, err := svc.Worker("mail"); !errors.Is(err, control.ErrNotFound) || !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	if _, err := svc.Start("test", ""); !errors.Is(err, control.ErrConflict) {
		t.Errorf("%v", err)
	}
	if _, err := svc.Stop("test", control.StopRequest{Reason: "a\x00b"}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := svc.Stop("test", control.StopRequest{Timeout: -1}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := svc.Traces(0); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := svc.Stop("test", control.StopRequest{Reason: "over the service"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has stopped", func() bool { return svc.Runtime().State == workers.Stopped })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := svc.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := svc.Start("test", ""); !errors.Is(err, control.ErrConflict) {
		t.Errorf("a start after Close: %v", err)
	}
}

// A stop that does not end is named by Close.
func TestCloseDoesNotWaitForEver(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.shutdown.timeout": "0s"})
	p.bot.deaf = true
	release := p.bot.holdHandlers(t)
	p.publish(1)
	svc := control.NewService(p.app)
	if _, err := svc.Stop("ops", control.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := svc.Close(ctx); err == nil || !strings.Contains(err.Error(), "the stop asked for by ops has not ended") {
		t.Errorf("%v", err)
	}
	release()
	eventually(t, "it has stopped", func() bool { return svc.Runtime().State == workers.Stopped })
}

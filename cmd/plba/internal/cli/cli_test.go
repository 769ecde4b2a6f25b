package cli_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/cmd/plba/internal/cli"
	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/internal/demo"
	"github.com/plba/plba/openapi/client"
)

// ways are the addresses of an application: what follows is the same over each.
var ways = map[string]func(*demo.App) string{
	"http":   func(a *demo.App) string { return a.HTTP },
	"socket": func(a *demo.App) string { return a.Socket },
}

// step is one command, and what must come of it.
type step struct {
	args  string // TASK stands for the ID of the first dead task
	token string
	code  cli.Code
	out   []string // in standard output
	err   []string // in standard error
}

// A night with the command, from the first look to the end of the process.
var night = []step{
	{args: "status", token: demo.Viewer, out: []string{"mail_order_bot is ", ", ready", "health is ok", "email-processing  consume", "mails  memory  open"}},
	{args: "status --check", token: demo.Viewer},
	{args: "health", token: demo.Viewer, out: []string{"ok\n", "email-processing  ok", "yes"}},
	{args: "health changes", token: demo.Viewer},
	{args: "workers", token: demo.Viewer, out: []string{"WORKER", "mail-polling", "email-processing"}},
	{args: "workers list --kind poll", token: demo.Viewer, out: []string{"mail-polling"}},
	{args: "worker show email-processing", token: demo.Viewer, out: []string{"(consume, critical) is ", "▸ ", "—work→ busy", "starting → idle"}},
	{args: "workers show email-processing --mermaid", token: demo.Viewer, out: []string{"stateDiagram-v2"}},
	{args: "workers pause mail-polling --reason night", token: demo.Operator, out: []string{"pauseWorker mail-polling: done"}},
	{args: "workers list --state idle", token: demo.Viewer, out: []string{"idle, paused"}},
	{args: "workers resume mail-polling", token: demo.Operator, out: []string{"resumeWorker mail-polling: done"}},
	{args: "workers scale email-processing 4", token: demo.Operator, out: []string{"done"}},
	{args: "workers restart email-processing --timeout 1500ms", token: demo.Operator, out: []string{"restartWorker email-processing: done", "drained"}},
	{args: "workers stop mail-polling", token: demo.Operator, out: []string{"stopWorker mail-polling: done"}},
	{args: "workers stop mail-polling", token: demo.Operator, code: cli.Refused, err: []string{"It is stopped; what is asked for needs:"}},
	{args: "workers start mail-polling", token: demo.Operator, out: []string{"startWorker mail-polling: done"}},
	{args: "workers stop mail-polling --no-wait", token: demo.Operator},
	{args: "health", token: demo.Viewer, out: []string{"degraded: mail-polling is degraded: stopped by an operator"}},
	{args: "health --strict", token: demo.Viewer, code: cli.Unhealthy, out: []string{"degraded"}},
	{args: "queues", token: demo.Viewer, out: []string{"mails  memory  open"}},
	{args: "queues show mails", token: demo.Viewer, out: []string{"mails holds ", "volatile"}},
	{args: "queues dead mails", token: demo.Viewer, out: []string{"ID", "dead", "mail 1: no such customer"}},
	{args: "queues tasks mails --state ready,running", token: demo.Viewer, out: []string{"no such tasks"}},
	{args: "queues task mails TASK", token: demo.Viewer, out: []string{"TASK is dead", "orders/store: mail 1: no such customer"}},
	{args: "queues task mails TASK --payload", token: demo.Operator, out: []string{`"fail": "no such customer"`}},
	{args: "queues task mails TASK --payload", token: demo.Viewer, code: cli.NotAllowed, err: []string{"needs the role operator", "The token is from PLBA_TOKEN."}},
	{args: "queues retry mails TASK", token: demo.Operator, out: []string{"retryTask mails TASK: "}},
	{args: "queues pause mails", token: demo.Operator, out: []string{"pauseQueue mails: done"}},
	{args: "queues list --state paused", token: demo.Viewer, out: []string{"mails  memory  paused"}},
	{args: "queues resume mails", token: demo.Operator, out: []string{"done"}},
	{args: "queues requeue mails -r again", token: demo.Operator, out: []string{"requeueDeadTasks mails: "}},
	{args: "queues cancel mails TASK --yes", token: demo.Operator, code: cli.Refused, err: []string{"plba: "}},
	{args: "queues discard mails TASK --yes", token: demo.Operator, code: cli.NotAllowed},
	{args: "queues discard mails TASK --yes", token: demo.Admin, out: []string{"discardTask mails TASK: "}},
	{args: "queues purge mails --state dead,done --yes", token: demo.Admin, out: []string{"purgeQueue mails"}},
	{args: "pipelines", token: demo.Viewer, out: []string{"orders"}},
	{args: "pipelines show orders", token: demo.Viewer, out: []string{"INSIDE", "    store  sink"}},
	{args: "pipelines graph orders", token: demo.Viewer, out: []string{"    load", "timeout 1m", "sink"}},
	{args: "pipelines graph orders --mermaid", token: demo.Viewer, out: []string{"flowchart TD", "load<br/>map"}},
	{args: "traces", token: demo.Viewer, out: []string{"business"}},
	{args: "traces show 4bf92f3577b34da6a3ce929d0e0e4736", token: demo.Viewer, code: cli.Refused, err: []string{"there is no recent trace"}},
	{args: "events --type operation --name mails", token: demo.Viewer, out: []string{"pauseQueue mails by operator succeeded", "requeueDeadTasks mails by operator succeeded: again"}},
	{args: "operations --asked pauseQueue", token: demo.Viewer, out: []string{"pauseQueue", "succeeded"}},
	{args: "audit --outcome denied", token: demo.Admin, out: []string{"discardTask", "this needs the role admin"}},
	{args: "audit", token: demo.Operator, code: cli.NotAllowed},
	{args: "reload", token: demo.Admin},
	{args: "stop --yes --reason night", token: demo.Operator, out: []string{"stopRuntime: done", "clean", "night", "email-processing  drained"}},
	{args: "status --check", token: demo.Viewer, code: cli.Unhealthy, out: []string{"is stopped, not ready"}},
	{args: "stop --yes", token: demo.Operator, code: cli.Refused, err: []string{"the runtime is stopped already"}},
	{args: "start", token: demo.Operator, out: []string{"startRuntime: done"}},
	{args: "version", out: []string{"plba "}},
}

func TestANightWithTheCommand(t *testing.T) {
	for name, address := range ways {
		t.Run(name, func(t *testing.T) {
			a := demo.Start(t, nil)
			a.Publish(t, demo.Mail{ID: 1, Fail: "no such customer"}, demo.Mail{ID: 2})
			id := deadTask(t, at(address(a), demo.Viewer))
			for _, st := range night {
				got := at(address(a), st.token).run(t, strings.Fields(strings.ReplaceAll(st.args, "TASK", id))...)
				if got.code != int(st.code) {
					t.Errorf("plba %s: code %d, want %d\n%s%s", st.args, got.code, st.code, got.out, got.err)
				}
				for _, want := range st.out {
					if !strings.Contains(got.out, strings.ReplaceAll(want, "TASK", id)) {
						t.Errorf("plba %s: no %q in\n%s%s", st.args, want, got.out, got.err)
					}
				}
				for _, want := range st.err {
					if !strings.Contains(got.err, want) {
						t.Errorf("plba %s: no %q in\n%s", st.args, want, got.err)
					}
				}
			}
		})
	}
}

// deadTask waits for one, and gives its ID.
func deadTask(t *testing.T, o operator) (id string) {
	t.Helper()
	eventually(t, "a task is dead", func() bool {
		got := o.run(t, "queues", "dead", "mails", "-o", "json")
		var list client.TaskList
		if err := json.Unmarshal([]byte(got.out), &list); err != nil || got.code != 0 {
			t.Fatalf("%v: %s%s", err, got.out, got.err)
		}
		if len(list.Tasks) > 0 {
			id = list.Tasks[0].ID
		}
		return id != ""
	})
	return id
}

// With -o json everything that has a result is one document, and nothing else is on standard output.
func TestJSON(t *testing.T) {
	for name, address := range ways {
		t.Run(name, func(t *testing.T) {
			a := demo.Start(t, nil)
			n := 0
			for _, args := range []string{
				"status", "health", "health changes", "workers", "workers show mail-polling", "queues", "queues show mails", "queues tasks mails", "pipelines",
				"pipelines graph orders", "traces", "operations", "audit", "workers pause mail-polling", "workers restart mail-polling", "stop --yes", "start",
			} {
				got := at(address(a), demo.Admin).run(t, append(strings.Fields(args), "-o", "json")...)
				var v map[string]any
				if err := json.Unmarshal([]byte(got.out), &v); err != nil || got.code != 0 || got.err != "" || len(v) == 0 {
					t.Errorf("plba %s: %d, %v: %s%s", args, got.code, err, got.out, got.err)
				}
				n++
			}
			got := at(address(a), demo.Admin).run(t, "events", "-o", "json")
			lines := strings.Split(strings.TrimSpace(got.out), "\n")
			for _, line := range lines {
				var e client.Event
				if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" {
					t.Errorf("%v: %s", err, line)
				}
			}
			if n < 15 || len(lines) < 8 {
				t.Errorf("%d documents, %d events", n, len(lines))
			}
		})
	}
}

// The codes that are documented are the codes that there are.
func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/operations/plba-command.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, meaning := range cli.Codes() {
		if row := "| " + term.Clean(jsonOf(code)) + " | " + meaning + " |"; !strings.Contains(string(text), row) {
			t.Errorf("docs/operations/plba-command.md has no row %q", row)
		}
	}
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Wrong use, wrong places, wrong rights: what was wrong, what to do, and the code.
func TestWhatIsWrong(t *testing.T) {
	a := demo.Start(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String()
	_ = l.Close()
	here := at(a.HTTP, demo.Operator)
	for args, want := range map[string]struct {
		operator
		code cli.Code
		says []string
	}{
		"statsu":                           {here, cli.Usage, []string{`there is no command "statsu" in "plba"`, "did you mean status?"}},
		"workers shwo":                     {here, cli.Usage, []string{`no command "shwo" in "plba workers"`, "did you mean show?", "See plba workers --help."}},
		"workers show":                     {here, cli.Usage, []string{"plba workers show needs the NAME of a worker"}},
		"workers show a b":                 {here, cli.Usage, []string{"takes the NAME of a worker only"}},
		"health extra":                     {here, cli.Usage, []string{"extra"}},
		"status --frobnicate":              {here, cli.Usage, []string{"unknown flag: --frobnicate"}},
		"status -o yaml":                   {here, cli.Usage, []string{"--output yaml: use table or json"}},
		"workers scale email-processing x": {here, cli.Usage, []string{`"x" is no number`}},
		"queues purge mails":               {here, cli.Usage, []string{"purge needs --state"}},
		"queues purge mails --state dead":  {here, cli.Usage, []string{"there is no terminal to ask on; --yes"}},
		"events --limit -1":                {here, cli.Usage, []string{"--limit -1"}},
		"status -a ftp://x":                {here, cli.Usage, []string{"must be http://HOST:PORT", "(from --address)"}},
		"status -a http://x -t y":          {here, cli.Usage, []string{"exclude each other"}},
		"status -t y":                      {here, cli.Usage, []string{`there is no target "y"`}},
		"status --token-file /nowhere":     {here, cli.Usage, []string{"the token cannot be read"}},
		"status --ca /nowhere":             {here, cli.Usage, []string{"the authorities cannot be read"}},
		"workers show mail-poling":         {here, cli.Refused, []string{`there is no worker "mail-poling"`, "Did you mean mail-polling?"}},
		"queues show mail":                 {here, cli.Refused, []string{"Did you mean mails?"}},
		"pipelines graph order":            {here, cli.Refused, []string{"Did you mean orders?"}},
		"queues retry mails none":          {here, cli.Refused, []string{`no task "none"`}},
		"queues tasks mails --state odd":   {here, cli.Refused, []string{"state"}},
		"workers scale mail-polling 3":     {here, cli.Refused, []string{"poll"}},
		"status -a " + dead:                {here, cli.Unreachable, []string{"no answer from " + dead, "connection refused", "The address is from --address.", "PLBA_ADDRESS"}},
		"events -f -a " + dead:             {here, cli.Unreachable, []string{"connection refused"}},
		"status -a unix:///nowhere/sock":   {here, cli.Unreachable, []string{"no such file"}},
		"workers pause mail-polling":       {at(a.HTTP, demo.Viewer), cli.NotAllowed, []string{"needs the role operator", "The token is from PLBA_TOKEN."}},
		"queues":                           {at(a.HTTP, "forged"), cli.NotAllowed, []string{"not a token that admits anybody"}},
		"workers":                          {at(a.HTTP, ""), cli.NotAllowed, []string{"needs a token", "Give a token with --token-file, PLBA_TOKEN"}},
	} {
		got := want.run(t, strings.Fields(args)...)
		if got.code != int(want.code) || got.out != "" {
			t.Errorf("plba %s: code %d, want %d: %s%s", args, got.code, want.code, got.out, got.err)
		}
		for _, text := range want.says {
			if !strings.Contains(got.err, text) {
				t.Errorf("plba %s: no %q in\n%s", args, text, got.err)
			}
		}
	}
}

func TestUnhealthy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"state": "unhealthy", "reason": "the store is unhealthy: no route", "components": [{"name": "store", "critical": true, "state": "unhealthy", "reason": "no route"}]}`))
	}))
	defer server.Close()
	for _, args := range [][]string{{"health"}, {"health", "-o", "json"}} {
		if got := at(server.URL, "").run(t, args...); got.code != int(cli.Unhealthy) || !strings.Contains(got.out, "no route") || got.err != "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestQuestions(t *testing.T) {
	a := demo.Start(t, nil)
	for answer, want := range map[string]cli.Code{"": cli.Usage, "\n": cli.Usage, "no\n": cli.Usage, "y": cli.Usage, "y\n": cli.OK} {
		o := at(a.HTTP, demo.Operator)
		o.terminal = term.Terminal{In: strings.NewReader(answer), Asks: true}
		got := o.run(t, "stop")
		if got.code != int(want) || !strings.Contains(got.err, "Stop the application at "+a.HTTP+"? [y/N] ") {
			t.Errorf("%q: %+v", answer, got)
		}
	}
}

// Ctrl-C ends the waiting and not the operation; the command says how to wait on.
func TestInterruptedWait(t *testing.T) {
	for name, address := range ways {
		t.Run(name, func(t *testing.T) {
			a := demo.Start(t, nil)
			a.Publish(t, demo.Mail{ID: 1, Hold: true})
			<-a.Held
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := at(address(a), demo.Operator)
			o.terminal = term.Terminal{Lively: true}
			var out, errs output
			go func() {
				eventually(t, "the wait shows that time goes by", func() bool { return strings.Contains(errs.String(), "stopWorker email-processing … 1s") })
				cancel()
			}()
			code := o.runInto(ctx, &out, &errs, "workers", "stop", "email-processing")
			got := ran{code, out.String(), errs.String()}
			if got.code != int(cli.Interrupted) || !strings.Contains(got.err, "the operation goes on: plba operations show ") {
				t.Fatalf("%+v", got)
			}
			id := strings.Fields(got.err[strings.Index(got.err, "show "):])[1]
			o.terminal.Lively = false
			if got := o.run(t, "operations", "show", id); got.code != 0 || !strings.Contains(got.out, "has begun") {
				t.Errorf("%+v", got)
			}
			a.Release()
			if got := o.run(t, "operations", "show", id, "--wait"); got.code != 0 || !strings.Contains(got.out, "stopWorker email-processing: done") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What was stopped by force is told, and the code says that it was not clean.
func TestStopThatIsNotClean(t *testing.T) {
	for name, address := range ways {
		t.Run(name, func(t *testing.T) {
			a := demo.Start(t, nil)
			a.Publish(t, demo.Mail{ID: 1, Hold: true})
			<-a.Held
			got := at(address(a), demo.Operator).run(t, "stop", "--force", "--yes", "--reason", "fire\x1b]0;alarm\a")
			if got.code != int(cli.Refused) {
				t.Errorf("%+v", got)
			}
			got = at(address(a), demo.Operator).run(t, "stop", "--force", "--yes", "--reason", "fire")
			if got.code != int(cli.Refused) || !strings.Contains(got.out, "NOT clean") || !strings.Contains(got.out, "email-processing  forced") ||
				!strings.Contains(got.out, "lost: 1 task of the volatile queue") || !strings.Contains(got.err, "stopRuntime failed") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Somebody follows while the application ends and comes again: the stream goes on, and Ctrl-C ends it well.
func TestFollowOverARestart(t *testing.T) {
	settings := map[string]any{"platform.control.socket.path": filepath.Join(t.TempDir(), "plba.sock")}
	a := demo.Start(t, settings)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs output
	code := make(chan int, 1)
	go func() { code <- at(a.Socket, demo.Viewer).follow(ctx, &out, &errs) }()
	o := at(a.Socket, demo.Operator)
	eventually(t, "it follows", func() bool {
		o.run(t, "workers", "pause", "mail-polling", "-r", "first")
		return strings.Contains(out.String(), "first")
	})
	if _, err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it notices", func() bool { return strings.Contains(errs.String(), "resuming") })
	again := demo.Start(t, settings)
	eventually(t, "it goes on", func() bool {
		at(again.Socket, demo.Operator).run(t, "workers", "pause", "mail-polling", "-r", "second")
		return strings.Contains(out.String(), "second") && strings.Contains(out.String(), "stopped → starting")
	})
	if !strings.Contains(out.String(), "events before this are not kept any more") {
		t.Errorf("nothing is said of what was missed:\n%s", out.String())
	}
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("code %d: %s", c, errs.String())
	}
}

func (o operator) follow(ctx context.Context, out, errs *output) int {
	t := term.Terminal{In: strings.NewReader(""), Out: out, Err: errs, Now: time.Now}
	return cli.Run(ctx, []string{"events", "--follow", "--limit", "0"}, &t, func(name string) string { return o.variables[name] })
}

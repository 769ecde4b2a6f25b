package control_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/control"
)

// records reads the audit as the admin.
func (p *plane) records(query string, client *http.Client, base string) []control.AuditRecord {
	p.t.Helper()
	token := p.token
	if token == "" {
		token = strings.ToUpper(adminToken)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, base+"/api/v1/audit"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	bearer(token)(req)
	res, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var list control.AuditList
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || res.StatusCode != 200 {
		p.t.Fatal(res.StatusCode, err)
	}
	return list.Records
}

func (p *plane) audit(query string) []control.AuditRecord {
	p.t.Helper()
	return p.records(query, p.client, "http://"+p.http.Addr())
}

// Every change that is asked for, every payload that is read and everybody who is denied something is in the audit, in memory and in the file.
func TestAudit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	settings := withTokens()
	settings["platform.control.audit.file"] = file
	b := newBot()
	b.more = operations(shopOperations)
	p := planeOf(t, b, settings)
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ops, viewer := bearer(operatorToken), bearer(viewerToken)
	id := p.later(1)
	post := func(path, body string, who with) { p.do(http.MethodPost, path, body, who) }
	post(mailWorker+"/pause", `{"reason":"too many mails"}`, ops)
	post("/api/v1/workers/nobody/pause", "", ops)
	post("/api/v1/runtime/stop", `{"mode":"odd"}`, ops)
	post("/api/v1/runtime/stop", "", viewer)
	post("/api/v1/runtime/stop", "", bearer("wrong"))
	p.get("/api/v1/runtime")
	p.get(mailQueue+"/tasks/"+id+"/payload", ops)
	p.get(mailQueue+"/tasks/"+id+"/payload", viewer)
	p.do(http.MethodDelete, mailQueue+"/tasks/"+id, "", bearer(strings.ToUpper(adminToken)))
	post("/app/book", `{"amount":3}`, bearer(strings.ToUpper(adminToken)))
	p.get("/api/v1/workers", viewer) // reading leaves no trace
	p.do(http.MethodPost, "/api/v1/runtime/stop", "", ops, header("Origin", "https://attacker.example"))

	type line struct {
		by, asked, target, task, reason string
		outcome                         control.AuditOutcome
	}
	want := []line{
		{"ops", "pauseWorker", "email-processing", "", "too many mails", "accepted"},
		{"ops", "pauseWorker", "nobody", "", "", "refused"},
		{"ops", "stopRuntime", "", "", "", "refused"},
		{"dashboard", "stopRuntime", "", "", "", "denied"},
		{"", "stopRuntime", "", "", "", "denied"},
		{"", "getRuntime", "", "", "", "denied"},
		{"ops", "getTaskPayload", "mails", id, "", "accepted"},
		{"dashboard", "getTaskPayload", "", "", "", "denied"},
		{"root", "discardTask", "mails", id, "", "accepted"},
		{"root", "post-app-book", "", "", "", "accepted"},
		{"", "POST /api/v1/runtime/stop", "", "", "", "denied"},
	}
	check := func(from string, records []control.AuditRecord) {
		t.Helper()
		var got []line
		for _, r := range records {
			got = append(got, line{r.By, r.Asked, r.Target, r.Task, r.Reason, r.Outcome})
			if r.ID == "" || r.At.IsZero() || r.Channel != "http" || r.From != "127.0.0.1" || (r.Detail == "") != (r.Outcome == control.AuditAccepted) {
				t.Errorf("%s: %+v", from, r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%v, want\n%v", from, got, want)
		}
	}
	kept := p.audit("")
	slices.Reverse(kept)
	check("memory", kept)
	if kept[0].Operation == "" || kept[0].Role != control.Operator {
		t.Errorf("%+v", kept[0])
	}
	check("file", recordsIn(t, file))
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	for query, n := range map[string]int{"?by=ops": 4, "?outcome=denied": 5, "?asked=stopRuntime&outcome=refused": 1, "?limit=3": 3, "?limit=100000": len(want)} {
		if got := p.audit(query); len(got) != n {
			t.Errorf("%s: %d, want %d", query, len(got), n)
		}
	}
	page := read[control.AuditList](t, p.get("/api/v1/audit?limit=2", bearer(strings.ToUpper(adminToken))), 200)
	if rest := p.audit("?before=" + page.Next); len(rest) != len(want)-2 {
		t.Errorf("%d after a page", len(rest))
	}
	for _, bad := range []string{"?outcome=odd", "?before=odd", "?limit=0", "?odd=1"} {
		problem(t, p.get("/api/v1/audit"+bad, bearer(strings.ToUpper(adminToken))), 422)
	}
	problem(t, p.get("/api/v1/audit", ops), 403)
}

func recordsIn(t *testing.T, file string) (list []control.AuditRecord) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r control.AuditRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		list = append(list, r)
	}
	return list
}

// Nothing that is asked can look like a line of its own, in the file as in the log.
func TestNothingIsInjectedIntoTheAudit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	p := startPlane(t, map[string]any{"platform.control.audit.file": file})
	evil := "x\n{\"by\":\"root\",\"outcome\":\"accepted\"}\r\x1b[31m\u2028\u202e"
	body, err := json.Marshal(map[string]string{"reason": evil})
	if err != nil {
		t.Fatal(err)
	}
	problem(t, p.command(mailWorker+"/pause", string(body)), 422)
	problem(t, p.do(http.MethodPost, "/api/v1/workers/"+"a%20%22%7d%0a"+"/pause", "", bearer(p.token)), 400)
	problem(t, p.command(`/api/v1/workers/a","by":"root/pause`, ""), 404)
	problem(t, p.do(http.MethodPost, "/api/v1/runtime/start", "", header("Authorization", "Bearer x\",\"by\":\"root")), 401)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(recordsIn(t, file)); n != 3 || strings.Count(string(text), "\n") != 3 {
		t.Errorf("%d records in %d lines:\n%s", n, strings.Count(string(text), "\n"), text)
	}
	for _, r := range recordsIn(t, file) {
		if r.By == "root" {
			t.Errorf("%+v", r)
		}
	}
	for _, raw := range []string{"\x1b", "\u2028", "\u202e", "\r"} {
		if strings.Contains(string(text), raw) || strings.Contains(p.log.String(), raw) {
			t.Errorf("%q is there as it is", raw)
		}
	}
}

// Whoever is denied again and again does not fill the disk, nor push out what was done.
func TestDenialsAreRationed(t *testing.T) {
	p := startPlane(t, nil)
	p.command(mailWorker+"/pause", "")
	for range 2000 {
		p.do(http.MethodPost, "/api/v1/runtime/stop", "")
	}
	all := p.audit("?limit=1000")
	if len(all) > 900 || all[len(all)-1].Asked != "pauseWorker" {
		t.Errorf("%d records, the first %+v", len(all), all[len(all)-1])
	}
}

// The file may be moved away while it is written.
func TestAuditFileIsRotated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	p := startPlane(t, map[string]any{"platform.control.audit.file": file})
	p.command(mailWorker+"/pause", "")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	p.command(mailWorker+"/resume", "")
	if old, now := recordsIn(t, file+".1"), recordsIn(t, file); len(old) != 1 || len(now) != 1 || now[0].Asked != "resumeWorker" {
		t.Errorf("%+v %+v", old, now)
	}
	// It goes on over a stop and start of the application.
	if _, err := p.app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.command(mailWorker+"/pause", "")
	if now := recordsIn(t, file); len(now) != 2 {
		t.Errorf("%+v", now)
	}
}

func TestAuditFileThatCannotBeWritten(t *testing.T) {
	p := newPlane(t, map[string]any{"platform.control.audit.file": filepath.Join(t.TempDir(), "no", "such", "folder")})
	if err := p.app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "platform.control.audit.file") {
		t.Errorf("%v", err)
	}
	if p.http.Addr() != "" {
		t.Error("it listens")
	}
	// One that fails later is told in the log; what was asked is done all the same.
	dir := filepath.Join(t.TempDir(), "audit")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p = startPlane(t, map[string]any{"platform.control.audit.file": filepath.Join(dir, "audit.jsonl")})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	read[control.Operation](t, p.command(mailWorker+"/pause", ""), 200)
	if !strings.Contains(p.log.String(), "the audit cannot be written") {
		t.Error("the log does not tell")
	}
}

// What an application's operation panics with is in the audit as a failure.
func TestPanicOfAnApplicationIsAudited(t *testing.T) {
	p := startWithOperations(t, nil, func(api huma.API) {
		huma.Post(api, "/app/explode", func(context.Context, *struct{}) (*struct{}, error) { panic("now") }, control.Needs(control.Admin))
	})
	problem(t, p.command("/app/explode", ""), 500)
	if got := p.audit(""); len(got) != 1 || got[0].Outcome != control.AuditFailed || got[0].Asked != "post-app-explode" || got[0].By != "first-run" {
		t.Errorf("%+v", got)
	}
}

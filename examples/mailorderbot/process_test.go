package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const anyPort = "127.0.0.1:0"

func TestOnce(t *testing.T) {
	p := start(t, "mailorderbot", "-once", "-listen", anyPort)
	p.wantExit(0)
	rows := wanted(t)
	for _, line := range []string{"\nORDERS\n", "\nREJECTED\n", "\nREVIEW\n", fmt.Sprintf("\nmails in %d = processed ", len(rows)), " + inbox 0\n"} {
		if !strings.Contains(p.stdout.String(), line) {
			t.Errorf("no %q", line)
		}
	}
	for _, line := range []string{"control plane at http://127.0.0.1:", "stopped in ", ", clean (the inbox is empty)\n"} {
		if !strings.Contains(p.stderr.String(), line) {
			t.Errorf("no %q", line)
		}
	}
}

// folder writes mails into a folder, as *.eml files.
func folder(t *testing.T, mails map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, raw := range mails {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(raw), 0o600))
	}
	return dir
}

// Mails that nobody can read are dealt with like all others, and never keep others from being dealt with.
func TestUnreadableMails(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "mails", "01-csv-semicolon.eml"))
	must(t, err)
	header, _, _ := strings.Cut(string(good), "\r\nMIME-Version")
	noise := make([]byte, 100_000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	dir := folder(t, map[string]string{
		"1-noise.eml":         string(noise),
		"2-empty.eml":         "",
		"3-noise-inside.eml":  header + "\r\nMIME-Version: 1.0\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n" + string(noise),
		"4-good.eml":          string(good),
		"5-zeros.eml":         strings.Repeat("\x00", 5000),
		"6-endless-line.eml":  header + "\r\nX-Long: " + strings.Repeat("x", 1<<20),
		"7-no-boundary.eml":   header + "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n",
		"8-bad-encoding.eml":  header + "\r\nMIME-Version: 1.0\r\nContent-Type: text/csv; name=b.csv\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
		"9-good-too.eml":      strings.Replace(string(good), "67c73919.37", "67c73919.38", 1),
		"notes.txt":           "no mail",
		"terminal-escape.EML": "From: \x1b[2J\x1b]0;gone\x07 <einkauf@morgenrot.example>\r\nSubject: \x1b[31m\r\n\r\n",
	})
	p := start(t, "mailorderbot", "-once", "-listen", anyPort, "-mails", dir)
	p.wantExit(0)
	out := p.stdout.String()
	if !strings.Contains(out, "mails in 10 = processed 2 + ") || !strings.Contains(out, "+ inbox 0\n") || strings.Count(out, "MR-2025-031: A-100×24") != 1 {
		t.Errorf("not all was dealt with")
	}
	if strings.ContainsAny(out, "\x1b\x00\x07") {
		t.Errorf("a mail writes to the terminal what it likes: %q", out)
	}
}

func TestBadInput(t *testing.T) {
	taken, err := net.Listen("tcp", anyPort)
	must(t, err)
	t.Cleanup(func() { taken.Close() }) // after the parallel tests below
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	empty := folder(t, map[string]string{"readme.txt": ""})
	missing := filepath.Join(dir, "none")
	unknown := file("unknown.yaml", "platform:\n  queues:\n    mails:\n      capcity: 10\n")
	number := file("number.yaml", "mail_order_bot:\n\n  poll_every: 15\n")
	engine := file("engine.yaml", "platform:\n  queues:\n    mails:\n      backend: redis\n")
	account := file("account.yaml", "mail_order_bot:\n  imap: {address: 'mail.example.com:993'}\n")
	real := file("real.yaml", "mail_order_bot:\n  imap: {address: 'mail.example.com:993'}\n  smtp: {address: 'mail.example.com:465'}\n"+
		"  account: o@example.com\n  authserv_id: mx\n  store: o.db\n  catalogue: c.csv\n  customers: k.csv\n")
	catalogue := file("catalogue.csv", "article,name,pack,price\nA-100,Cup,6\n")
	badCatalogue := file("catalogue.yaml", "mail_order_bot:\n  catalogue: "+catalogue+"\n")
	worker := file("worker.yaml", "platform:\n  workers:\n    mail-poling: {concurrency: 1}\n")
	yaml := file("yaml.yaml", "log:\n\tlevel: info\n")

	for name, tc := range map[string]struct {
		args string
		exit int
		want []string
	}{
		"no file":                {"-config " + missing, 2, []string{missing + ": the file does not exist"}},
		"unknown key":            {"-config " + unknown, 2, []string{unknown + `:4: unknown key "platform.queues.mails.capcity" (did you mean "capacity"?)`}},
		"number for a duration":  {"-config " + number, 2, []string{number + ":3: mail_order_bot.poll_every", `"15s"`}},
		"faults in two files":    {"-config " + unknown + " -config " + number, 2, []string{unknown + ":4: ", number + ":3: "}},
		"engine not linked":      {"-config " + engine, 2, []string{engine + `:4: platform.queues.mails.backend: no engine "redis" is linked`, "linked: memory, sqlite, postgres"}},
		"unknown worker":         {"-config " + worker, 2, []string{worker + ":3: ", "mail-poling", "mail-polling"}},
		"broken YAML":            {"-config " + yaml, 2, []string{yaml + ":2"}},
		"half an account":        {"-config " + account, 2, []string{account, "smtp.address is not set", "store is not set", "customers is not set"}},
		"catalogue broken":       {"-config " + badCatalogue, 1, []string{catalogue + ": catalogue line 2"}},
		"unknown flag":           {"-onse", 2, []string{"-onse", "Usage"}},
		"argument":               {"mails", 2, []string{`unexpected argument "mails"`}},
		"port taken":             {"-listen " + taken.Addr().String(), 1, []string{taken.Addr().String() + " is taken"}},
		"no address":             {"-listen nonsense", 2, []string{"-listen nonsense: it must be host:port"}},
		"no such port":           {"-listen 127.0.0.1:99999", 2, []string{"127.0.0.1:99999"}},
		"mails nowhere":          {"-mails " + missing, 2, []string{"-mails " + missing + ": there is no such folder"}},
		"no mails":               {"-mails " + empty, 2, []string{"-mails " + empty + ": there is no *.eml file among 1 entries"}},
		"mails and an account":   {"-mails testdata/mails -config " + real, 2, []string{"-mails is for the demonstration"}},
		"faults in flag and key": {"-check -config " + number, 2, []string{number + ":3: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "mailorderbot", append([]string{"-once"}, strings.Fields(tc.args)...)...)
			p.wantExit(tc.exit)
			for _, want := range tc.want {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("no %q in:\n%s", want, p.stderr)
				}
			}
			if strings.Contains(p.stdout.String()+p.stderr.String(), "goroutine ") {
				t.Errorf("it panics")
			}
			if tc.exit == 2 && p.stdout.String() != "" {
				t.Errorf("something was started:\n%s", p.stdout)
			}
		})
	}
}

// The program does not insist on its usual port, and says so.
func TestUsualPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", usualAddress)
	if err == nil { // else somebody else has it, which is as good
		defer l.Close()
	}
	p := start(t, "mailorderbot", "-once", "-mails", folder(t, map[string]string{"1.eml": "From: a@b.example\r\n\r\n"}))
	p.wantExit(0)
	if !strings.Contains(p.stdout.String(), usualAddress+" is taken") || !strings.Contains(p.stderr.String(), "control plane at http://127.0.0.1:") {
		t.Errorf("it does not say where it listens")
	}
}

func TestCheckAndGraph(t *testing.T) {
	p := start(t, "mailorderbot", "-check")
	p.wantExit(0)
	if !strings.Contains(p.stdout.String(), "the configuration is fine") {
		t.Errorf("%s", p.stdout)
	}
	p = start(t, "mailorderbot", "-print-graph")
	p.wantExit(0)
	for _, stage := range []string{"load", "parse", "attachments", "decode", "decide", "store", "confirm", "move"} {
		if !strings.Contains(p.stdout.String(), stage) {
			t.Errorf("no stage %s in the graph:\n%s", stage, p.stdout)
		}
	}
}

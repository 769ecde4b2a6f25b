package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
)

var customers = []string{
	"einkauf@morgenrot.example", "buero@seeblick.example", "purchasing@brightwater.example.com", "zakaz@prichal.example",
	"orders@kanteen.example.net", "commande@lavande.example.org", "office@tiller.example", "wirt@zurpost.example",
}

// variants makes n mails, always the same: orders of all customers and, between them, everything whose end depends on what came before it.
func variants(n int) [][]byte {
	var mails [][]byte
	for i := range n {
		from, po := customers[i%len(customers)], fmt.Sprintf("PO-%05d", i)
		lines := []string{fmt.Sprintf("A-100,%d", 6*(1+i%9)), fmt.Sprintf("G-700,%d", 1+i%5)}
		switch before := i - 2*len(customers); {
		case before >= 0 && i%10 == 7: // the same mail again
			mails = append(mails, mails[before])
			continue
		case before >= 0 && i%11 == 8: // the same number with other lines
			po, lines = fmt.Sprintf("PO-%05d", before), []string{"B-200,4"}
		case before >= 0 && i%13 == 9: // the same order again, in another mail
			po = fmt.Sprintf("PO-%05d", before)
			lines = []string{fmt.Sprintf("G-700,%d", 1+before%5), fmt.Sprintf("A-100,%d", 6*(1+before%9))}
		case i%17 == 3:
			lines = append(lines, "X-999,1")
		case i%19 == 5:
			from = "stranger@example.com"
		}
		mails = append(mails, orderMail(i, from, po, lines))
	}
	return mails
}

func orderMail(i int, from, po string, lines []string) []byte {
	_, host, _ := strings.Cut(from, "@")
	return []byte("Return-Path: <" + from + ">\r\n" +
		"Authentication-Results: mx.nordwind.example; dmarc=pass header.from=" + host + "\r\n" +
		"From: <" + from + ">\r\nTo: <" + account + ">\r\nSubject: Order\r\n" +
		fmt.Sprintf("Message-ID: <volume.%d@%s>\r\n", i, host) +
		"MIME-Version: 1.0\r\nContent-Type: text/csv; name=order.csv\r\nContent-Disposition: attachment; filename=order.csv\r\n\r\n" +
		"order number,article,quantity\r\n" + po + "," + strings.Join(lines, "\r\n"+po+",") + "\r\n")
}

// outside is a mail server in a process of its own.
type outside struct {
	t testing.TB
	*process
	hello struct {
		IMAP, SMTP, Status string
		Mails              int
	}
}

func newOutside(t testing.TB, mails [][]byte) *outside {
	t.Helper()
	dir := t.TempDir()
	for i, raw := range mails {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.eml", i)), raw, 0o600))
	}
	o := &outside{t: t, process: start(t, "mailserver", "-imap", anyPort, "-smtp", anyPort, "-status", anyPort, "-mails", dir)}
	o.stdout.await(t, "announcement", func(text string) bool { return strings.Contains(text, "\n") })
	must(t, json.Unmarshal([]byte(o.stdout.String()), &o.hello))
	if o.hello.Mails != len(mails) {
		t.Fatalf("%d mails were delivered, want %d", o.hello.Mails, len(mails))
	}
	return o
}

func (o *outside) status() (st mailserver.Status) {
	o.t.Helper()
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + o.hello.Status + "/status")
	must(o.t, err)
	defer resp.Body.Close()
	must(o.t, json.NewDecoder(resp.Body).Decode(&st))
	return st
}

// config writes the configuration of a bot for this server whose queue has these settings, and gives its path and that of the store.
func (o *outside) config(queue string) (path, store string) {
	o.t.Helper()
	testdata, err := filepath.Abs("testdata")
	must(o.t, err)
	dir := o.t.TempDir()
	store, path = filepath.Join(dir, "orders.db"), filepath.Join(dir, "bot.yaml")
	must(o.t, os.WriteFile(path, fmt.Appendf(nil, `
platform:
  control: {enabled: false}
  queues: {mails: %s}
mail_order_bot:
  account: %s
  authserv_id: mx.nordwind.example
  store: '%s'
  catalogue: '%s'
  customers: '%s'
  poll_every: 50ms
  answers_per_hour: 1000000
  imap: {address: '%s', username: orders, password: orders, tls: none}
  smtp: {address: '%s', tls: none}
`, queue, account, store, filepath.Join(testdata, "catalogue.csv"), filepath.Join(testdata, "customers.csv"), o.hello.IMAP, o.hello.SMTP), 0o600))
	return path, store
}

// result is everything that a bot leaves behind, in words that do not depend on time.
type result struct {
	mails   []string // in the order of arrival
	orders  []string
	folders []string
	answers map[string]int // how often each Message-ID was sent
}

func collect(t testing.TB, server *outside, store string) result {
	t.Helper()
	r := result{answers: map[string]int{}}
	for _, e := range ledger(t, store) {
		r.mails = append(r.mails, fmt.Sprintf("%s %s %q left=%v answered=%v: %s", e.SHA256[:12], e.Folder, e.Reason, e.Left, e.Answered, notation(e.Orders)))
		for _, o := range e.Orders {
			r.orders = append(r.orders, o.Customer+" "+o.String())
		}
	}
	st := server.status()
	for folder, mails := range st.Folders {
		for _, m := range mails {
			r.folders = append(r.folders, folder+" "+m.SHA256[:12])
		}
	}
	words := map[string]string{}
	for _, s := range st.Sent {
		id := messageID(t, s.Data)
		if r.answers[id]++; r.answers[id] > 1 && words[id] != s.To+string(s.Data) {
			t.Errorf("the answer %s was sent again with other words:\n%s\n%s", id, words[id], s.Data)
		}
		words[id] = s.To + string(s.Data)
	}
	slices.Sort(r.folders)
	return r
}

// equal compares what must be the same however often a bot died.
func (r result) equal(t testing.TB, want result) {
	t.Helper()
	for _, c := range []struct {
		what      string
		got, want []string
	}{{"arrivals", r.mails, want.mails}, {"orders", sorted(r.orders), sorted(want.orders)}, {"folders", r.folders, want.folders}} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %d, want %d:\n%s", c.what, len(c.got), len(c.want), diff(c.got, c.want))
		}
	}
	for id := range want.answers {
		if r.answers[id] == 0 {
			t.Errorf("the answer %s was not sent", id)
		}
	}
	for id := range r.answers {
		if want.answers[id] == 0 {
			t.Errorf("the answer %s should not be", id)
		}
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// undisturbed is what becomes of the mails when nothing happens to the bot.
func undisturbed(t testing.TB, mails [][]byte, in engine) result {
	t.Helper()
	server, place := newOutside(t, mails), in(t)
	cfg, store := server.config(place.settings)
	began := time.Now()
	p := start(t, "mailorderbot", "-once", "-config", cfg)
	p.wantExit(0)
	r := collect(t, server, store)
	t.Logf("undisturbed: %d mails, %d orders, %d answers in %s", len(mails), len(r.orders), len(r.answers), time.Since(began).Round(time.Millisecond))
	checkPlausible(t, mails, r)
	place.check(t, mails)
	return r
}

// checkPlausible makes sure that the volume is what it is meant to be: all kinds of ends, each mail in one folder, each answer sent once.
func checkPlausible(t testing.TB, mails [][]byte, r result) {
	t.Helper()
	all := strings.Join(r.mails, "\n")
	for _, kind := range []string{
		"the same mail was received before", "was already received", "was received before with other lines", "unknown article", "is not a known customer", `Processed "" left`,
	} {
		if !strings.Contains(all, kind) {
			t.Errorf("no mail ends so: %s", kind)
		}
	}
	if len(r.mails) != len(mails) || len(r.folders) != len(mails) || strings.Contains(strings.Join(r.folders, "\n"), "INBOX") {
		t.Errorf("%d mails, %d arrivals, %d mails in folders", len(mails), len(r.mails), len(r.folders))
	}
	for id, n := range r.answers {
		if n != 1 {
			t.Errorf("the answer %s was sent %d times", id, n)
		}
	}
	if len(r.orders) < len(mails)/2 {
		t.Errorf("only %d orders", len(r.orders))
	}
}

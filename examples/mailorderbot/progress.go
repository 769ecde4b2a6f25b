package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

// say writes to the terminal; a terminal that is gone is no reason to stop taking orders.
func (m *module) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = fmt.Fprintf(m.out, format, args...)
}

// begin tells what is to be known while the program works.
func (m *module) begin(context.Context) error {
	m.mu.Lock()
	m.progress, m.inbox = time.Now(), -1
	if m.began.IsZero() {
		m.began = m.progress
	}
	m.mu.Unlock()
	if m.demo != nil {
		m.say("Mail server  inside this process: IMAP %s, SMTP %s, %d mails in the inbox\n", m.demo.server.IMAPAddr(), m.demo.server.SMTPAddr(), len(m.demo.mails))
	} else {
		m.say("Mail server  IMAP %s, SMTP %s, account %s\n", m.cfg.IMAP.Address, m.cfg.SMTP.Address, m.cfg.Account)
	}
	m.say("Orders       kept in %s (SQLite)\n", m.cfg.Store)
	if m.otherPort {
		m.say("Note         %s is taken, so the control plane uses a free port\n", usualAddress)
	}
	if !m.once {
		m.say("Stop         with Ctrl-C\n")
	}
	m.say("\n")
	return nil
}

// tell shows progress: one line a mail.
func (m *module) tell(d domain.Decision) {
	what := d.Reason
	switch {
	case len(d.Orders) > 0:
		what = orderList(d.Orders)
	case what == "":
		what = "(the order was stored before)"
	}
	m.mu.Lock()
	m.done++
	n := m.done
	m.mu.Unlock()
	m.say("%4d  %-9s  %-34s  %s\n", n, d.Folder, cell(d.Mail.From, 34), cell(what, 100))
}

func orderList(orders []domain.Order) string {
	texts := make([]string, len(orders))
	for i, o := range orders {
		texts[i] = o.String()
	}
	return strings.Join(texts, " | ")
}

// cell is text of a stranger, on one line, safe for a terminal and for a spreadsheet that the table is pasted into.
func cell(s string, width int) string {
	r := []rune(domain.SafeCell(s))
	for i := range r {
		if !unicode.IsPrint(r[i]) {
			r[i] = '·'
		}
	}
	if len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return string(r)
}

// look notes whether the inbox has changed. When it stays empty after work, it is time for the report.
func (m *module) look(ctx context.Context, found shop.Found) {
	m.mu.Lock()
	if found.Inbox != m.inbox || found.New > 0 {
		m.inbox, m.progress = found.Inbox, time.Now()
		m.mu.Unlock()
		return
	}
	due := found.Inbox == 0 && !m.once && !m.rested
	m.rested = m.rested || due
	m.mu.Unlock()
	if !due {
		return
	}
	if err := m.report(ctx, 0); err != nil {
		m.say("\n%v\n", err)
	}
	more := ""
	if m.control != "" {
		more = "Control plane: " + m.control + "\n"
	}
	m.say("The inbox is empty. New mails are taken as they come, until Ctrl-C.\n%s\n", more)
}

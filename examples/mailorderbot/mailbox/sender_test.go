package mailbox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

func plainSMTP(addr string) mailbox.SMTPConfig {
	return mailbox.SMTPConfig{Address: addr, TLS: mailbox.TLSNone, Timeout: 20 * time.Second}
}

var hello = []byte("From: shop@example.test\r\nSubject: your order\r\n\r\n.thanks\r\n..\r\nf\xc3\xbcr alles\r\n")

// wantSendError checks what a sender tells about a failure.
func wantSendError(t testing.TB, err error, code int, permanent, uncertain bool, parts ...string) {
	t.Helper()
	failed := new(mailbox.SendError)
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a SendError", err)
	}
	if failed.Code != code || failed.Permanent() != permanent || failed.Uncertain() != uncertain {
		t.Errorf("%v: code %d, permanent %v, uncertain %v; want %d, %v, %v",
			err, failed.Code, failed.Permanent(), failed.Uncertain(), code, permanent, uncertain)
	}
	wantError(t, err, nil, parts...)
}

func TestSend(t *testing.T) {
	s := serve(t, mailserver.Config{})
	cfg := plainSMTP(s.SMTPAddr())
	cfg.Username, cfg.Password = "orders", "orders"
	sender := mailbox.NewSender(cfg)
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			if err := sender.Send(t.Context(), "ann@a.test", hello); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	sent := s.Sent()
	if len(sent) != 8 {
		t.Fatalf("sent %d mails, want 8", len(sent))
	}
	for _, mail := range sent {
		if mail.From != "" || mail.To != "ann@a.test" || !bytes.Equal(mail.Data, hello) {
			t.Errorf("sent %q", mail)
		}
	}
}

func TestRefusedMails(t *testing.T) {
	answers := map[string]*smtp.SMTPError{
		"never@a.test": {Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"},
		"later@a.test": {Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"},
	}
	s := serve(t, mailserver.Config{Accept: func(_, to string) error {
		if answer := answers[to]; answer != nil {
			return answer
		}
		return nil
	}})
	sender := mailbox.NewSender(plainSMTP(s.SMTPAddr()))
	ctx := t.Context()
	wantSendError(t, sender.Send(ctx, "never@a.test", hello), 550, true, false, s.SMTPAddr(), "never@a.test", "recipient", "no such user")
	wantSendError(t, sender.Send(ctx, "later@a.test", hello), 451, false, false, "later@a.test", "greylisted")
	for _, bad := range []string{"", "a b@c.test", "a@b.test>\r\nRCPT TO:<c@d.test", "m\u00fcller@a.test", "<a@b.test>"} {
		wantSendError(t, sender.Send(ctx, bad, hello), 0, true, false, "recipient")
	}
	if sent := s.Sent(); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

// A refused login is our fault, not the mail's: it must stay to be sent later.
func TestRefusedLogin(t *testing.T) {
	s := serve(t, mailserver.Config{})
	cfg := plainSMTP(s.SMTPAddr())
	cfg.Username, cfg.Password = "orders", "a wrong secret"
	err := mailbox.NewSender(cfg).Send(t.Context(), "ann@a.test", hello)
	wantSendError(t, err, 535, false, false, "log in")
	if strings.Contains(err.Error(), cfg.Password) {
		t.Errorf("the error tells the password: %v", err)
	}
}

func TestServerIsDown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, ln.Close())
	err = mailbox.NewSender(plainSMTP(ln.Addr().String())).Send(t.Context(), "ann@a.test", hello)
	wantSendError(t, err, 0, false, false, "connect", ln.Addr().String())
	err = mailbox.NewSender(mailbox.SMTPConfig{}).Send(t.Context(), "ann@a.test", hello)
	wantSendError(t, err, 0, false, false, "configuration", "address")
}

// script plays an SMTP server that gives one answer after the other, the first as its greeting and the one after 354 when it has
// the whole mail. After the last it calls end.
func script(t testing.TB, answers []string, end func(p *peer)) string {
	return play(t, func(p *peer) {
		for i, answer := range answers {
			switch {
			case i == 0:
			case strings.HasPrefix(answers[i-1], "354"):
				for line := ""; line != ".\r\n"; {
					var err error
					if line, err = p.r.ReadString('\n'); err != nil {
						return
					}
				}
			default:
				p.hear("")
			}
			if answer != "" {
				p.say("%s", answer)
			}
		}
		end(p)
	})
}

func TestAnswersOfAServer(t *testing.T) {
	upToData := []string{"220 hi", "250 hi", "250 ok", "250 ok", "354 go"}
	secret := base64.StdEncoding.EncodeToString([]byte("\x00orders\x00secret"))
	for name, tc := range map[string]struct {
		user      string
		answers   []string
		code      int
		permanent bool
		uncertain bool
		part      string
	}{
		"not for us":             {"", []string{"554 go away"}, 554, false, false, "connect"},
		"busy":                   {"", []string{"421 busy"}, 421, false, false, "connect"},
		"no sender accepted":     {"", []string{"220 hi", "250 hi", "550 no bounces"}, 550, true, false, "sender"},
		"login unknown":          {"orders", []string{"220 hi", "250 hi"}, 0, false, false, "log in"},
		"login repeated":         {"orders", []string{"220 hi", "250-hi\r\n250 AUTH PLAIN", "535 what is " + secret}, 535, false, false, "log in"},
		"no data accepted":       {"", []string{"220 hi", "250 hi", "250 ok", "250 ok", "452 full"}, 452, false, false, "data"},
		"spam":                   {"", append(upToData, "554 spam"), 554, true, false, "confirmation"},
		"try again":              {"", append(upToData, "451 later"), 451, false, false, "confirmation"},
		"the answer is lost":     {"", append(upToData, ""), 0, false, true, "may have been sent"},
		"taken, then it is gone": {"", append(upToData, "250 ok"), 0, false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			addr := script(t, tc.answers, func(*peer) {})
			cfg := plainSMTP(addr)
			cfg.Username, cfg.Password = tc.user, "secret"
			err := mailbox.NewSender(cfg).Send(t.Context(), "ann@a.test", hello)
			if tc.part == "" {
				must(t, err)
				return
			}
			wantSendError(t, err, tc.code, tc.permanent, tc.uncertain, tc.part, addr, "ann@a.test")
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestLoginOfOldServers(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	addr := play(t, func(p *peer) {
		p.say("220 hi")
		p.hear("EHLO shop.test")
		p.say("250-hi\r\n250 AUTH LOGIN")
		p.hear("AUTH LOGIN " + encode("orders"))
		p.say("334 %s", encode("Password:"))
		p.hear(encode("secret"))
		p.say("535 %s is wrong, and so is %s", encode("secret"), "secret")
	})
	cfg := plainSMTP(addr)
	cfg.Username, cfg.Password, cfg.Hello = "orders", "secret", "shop.test"
	err := mailbox.NewSender(cfg).Send(t.Context(), "ann@a.test", hello)
	wantSendError(t, err, 535, false, false, "log in", "*** is wrong, and so is ***")
}

func TestCancelDuringAHangingSMTPServer(t *testing.T) {
	conversation := []string{"220 hi", "250 hi", "250 ok", "250 ok", "354 go", ""}
	for hang := range conversation {
		hanging := make(chan struct{})
		var once sync.Once
		addr := script(t, conversation[:hang], func(p *peer) {
			once.Do(func() { close(hanging) })
			p.r = bufio.NewReader(p.Conn)
			p.hang()
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("the test has seen enough")
		done := make(chan error, 1)
		go func() { done <- mailbox.NewSender(plainSMTP(addr)).Send(ctx, "ann@a.test", hello) }()
		<-hanging
		cancel(reason)
		select {
		case err := <-done:
			wantError(t, err, reason, addr)
		case <-time.After(10 * time.Second):
			t.Fatalf("sending hangs after %d answers", hang)
		}
	}
	addr := play(t, func(p *peer) { p.hang() })
	cfg := plainSMTP(addr)
	cfg.Timeout = 30 * time.Millisecond
	wantSendError(t, mailbox.NewSender(cfg).Send(t.Context(), "ann@a.test", hello), 0, false, false, "did not finish within 30ms")
}

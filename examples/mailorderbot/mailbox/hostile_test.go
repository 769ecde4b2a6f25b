package mailbox_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// item is a mail of a server that is played.
var item = mailbox.Item{UIDValidity: 9, UID: 7, Size: 100}

// Wherever a server stops answering, a call ends when its context does, with the reason of the context, and the next call
// is not hindered.
func TestCancelDuringAHangingServer(t *testing.T) {
	open := func(ctx context.Context, m *mailbox.Mailbox) error { return m.Open(ctx) }
	fetch := func(ctx context.Context, m *mailbox.Mailbox) error {
		if err := m.Open(ctx); err != nil {
			return err
		}
		_, err := m.Fetch(ctx, item)
		return err
	}
	move := func(ctx context.Context, m *mailbox.Mailbox) error {
		return errors.Join(m.Open(ctx), m.Move(ctx, item.UIDValidity, item.UID, "Review"))
	}
	prelude := func(p *peer) {
		p.login(capabilities)
		p.say("%s OK", p.hear("NOOP"))
		p.selected()
	}
	for name, tc := range map[string]struct {
		tls  string
		call func(context.Context, *mailbox.Mailbox) error
		play func(p *peer)
	}{
		"before the greeting": {mailbox.TLSNone, open, func(*peer) {}},
		"in the greeting":     {mailbox.TLSNone, open, func(p *peer) { p.say("* OK") }},
		"at the login": {mailbox.TLSNone, open, func(p *peer) {
			p.say("* OK [CAPABILITY IMAP4rev1] hello")
			p.hear("LOGIN")
		}},
		"at the password": {mailbox.TLSNone, open, func(p *peer) {
			p.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello")
			p.hear("AUTHENTICATE PLAIN")
			p.say("+ ")
			p.r.Peek(1)
		}},
		"at the capabilities": {mailbox.TLSNone, open, func(p *peer) {
			p.say("* OK hello")
			p.hear("CAPABILITY")
		}},
		"in the TLS handshake":    {mailbox.TLSImplicit, open, func(p *peer) { p.r.Peek(1) }},
		"before STARTTLS":         {mailbox.TLSStartTLS, open, func(*peer) {}},
		"in the answer to it":     {mailbox.TLSStartTLS, open, func(p *peer) { p.say("* OK hello"); p.hear("STARTTLS"); _, _ = p.Write([]byte("S1 OK go\r")) }},
		"after the answer to it":  {mailbox.TLSStartTLS, open, func(p *peer) { p.say("* OK hello"); p.hear("STARTTLS"); p.say("S1 OK go"); p.r.Peek(1) }},
		"at the mail":             {mailbox.TLSNone, fetch, func(p *peer) { prelude(p); p.hear("FETCH 7") }},
		"in the middle of a mail": {mailbox.TLSNone, fetch, func(p *peer) { prelude(p); p.hear("FETCH 7"); p.say("* 1 FETCH (UID 7 BODY[] {100}\r\nhalf a mail") }},
		"at the move": {mailbox.TLSNone, move, func(p *peer) {
			prelude(p)
			p.say("* 1 FETCH (UID 7)\r\n%s OK", p.hear("FETCH 7"))
			p.hear("MOVE 7")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			hanging := make(chan struct{}, 1)
			addr := play(t, func(p *peer) {
				tc.play(p)
				hanging <- struct{}{}
				p.hang()
			})
			cfg := bare(addr)
			cfg.TLS = tc.tls
			m := mailbox.New(cfg)
			closeAtEnd(t, m)
			reason := errors.New("the test has seen enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			done := make(chan error, 1)
			go func() { done <- tc.call(ctx, m) }()
			<-hanging
			cancel(reason)
			select {
			case err := <-done:
				wantError(t, err, reason, addr)
			case <-time.After(10 * time.Second):
				t.Fatal("the call hangs")
			}
		})
	}
}

func TestTimeLimit(t *testing.T) {
	addr := play(t, func(p *peer) { p.hang() })
	cfg := bare(addr)
	cfg.Timeout = 30 * time.Millisecond
	err := mailbox.New(cfg).Open(t.Context())
	wantError(t, err, nil, addr, "did not finish within 30ms")
	if timeout := interface{ Timeout() bool }(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v is not recognizable as a timeout", err)
	}
}

// A connection that is silent, as behind a router that forgot it, takes a part of the time; the call goes on with a new one.
func TestSilentConnectionIsReplaced(t *testing.T) {
	first := true
	addr := play(t, func(p *peer) {
		p.login(capabilities)
		if first {
			first = false
			p.hear("NOOP")
			p.hang()
			return
		}
		p.say("* STATUS INBOX (MESSAGES 3)\r\n%s OK", p.hear("STATUS"))
		p.goodbye()
	})
	cfg := bare(addr)
	cfg.Timeout = time.Second
	m := open(t, cfg)
	if n, err := m.Count(t.Context(), mailbox.Inbox); err != nil || n != 3 {
		t.Errorf("counted %d, %v", n, err)
	}
}

func TestCloseEndsCallsInFlight(t *testing.T) {
	hanging := make(chan struct{})
	addr := play(t, func(p *peer) {
		p.login(capabilities)
		p.hear("NOOP")
		close(hanging)
		p.hang()
	})
	m := mailbox.New(bare(addr))
	must(t, m.Open(t.Context()))
	done := make(chan error, 1)
	go func() {
		_, err := m.Count(t.Context(), mailbox.Inbox)
		done <- err
	}()
	<-hanging
	must(t, m.Close(t.Context()))
	wantError(t, <-done, mailbox.ErrNotOpen, addr, "count INBOX")
}

// What a server sends instead of a mail must never be taken for the mail, nor for the news that the mail is gone.
func TestStrangeAnswersToFetch(t *testing.T) {
	for name, tc := range map[string]struct {
		answer []string // to the FETCH; the tagged OK follows
		is     error
		parts  []string
	}{
		"more than announced": {[]string{"* 1 FETCH (UID 7 BODY[] {100000}\r\n" + strings.Repeat("x", 100000) + ")"}, mailbox.ErrTooLarge, []string{"100000 bytes"}},
		"endless":             {[]string{"* 1 FETCH (UID 7 BODY[] {9223372036854775807}\r\nx"}, mailbox.ErrTooLarge, nil},
		"no body":             {[]string{"* 1 FETCH (UID 7 BODY[] NIL)"}, nil, []string{"does not send it"}},
		"another mail":        {[]string{"* 1 FETCH (UID 8 BODY[] {4}\r\nmail)"}, nil, []string{"does not send it"}},
		"the body first":      {[]string{"* 1 FETCH (BODY[] {4}\r\nmail UID 7)"}, nil, []string{"does not send it"}},
		"flags only":          {[]string{`* 1 FETCH (UID 7 FLAGS (\Seen))`}, nil, []string{"does not send it"}},
		"nonsense":            {[]string{"* 1 NONSENSE"}, nil, []string{"NONSENSE"}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := play(t, func(p *peer) {
				p.login(capabilities)
				p.say("%s OK", p.hear("NOOP"))
				p.selected()
				tag := p.hear("BODY.PEEK[]")
				for _, line := range tc.answer {
					p.say("%s", line)
				}
				p.say("%s OK", tag)
				p.say("* 1 FETCH (UID 7)\r\n%s OK", p.hear("FETCH 7 (UID)"))
				p.hang()
			})
			m := open(t, bare(addr))
			raw, err := m.Fetch(t.Context(), item)
			wantError(t, err, tc.is, append(tc.parts, addr, "fetch mail 7 of INBOX")...)
			if raw != nil || errors.Is(err, mailbox.ErrGone) {
				t.Errorf("got %.50q and %v", raw, err)
			}
		})
	}
}

func TestMailThatIsCutOff(t *testing.T) {
	addr := play(t, func(p *peer) {
		p.login(capabilities)
		p.say("%s OK", p.hear("NOOP"))
		p.selected()
		p.hear("BODY.PEEK[]")
		p.say("* 1 FETCH (UID 7 BODY[] {100}\r\nhalf a mail")
	})
	m := open(t, bare(addr))
	raw, err := m.Fetch(t.Context(), item)
	wantError(t, err, nil, addr, "EOF")
	if raw != nil {
		t.Errorf("got %q", raw)
	}
}

// Mails whose size the server does not tell would escape the limit on sizes.
func TestListLeavesOutMailsWithoutSize(t *testing.T) {
	addr := play(t, func(p *peer) {
		p.login(capabilities)
		p.say("%s OK", p.hear("NOOP"))
		p.selected()
		tag := p.hear("UID FETCH 1:*")
		p.say("* 2 FETCH (UID 8 RFC822.SIZE 5)\r\n* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n* 3 FETCH (RFC822.SIZE 6 UID 2)\r\n%s OK", tag)
		p.goodbye()
	})
	m := open(t, bare(addr))
	items := list(t, m, 2)
	if items[0] != (mailbox.Item{UIDValidity: 9, UID: 2, Size: 6}) || items[1] != (mailbox.Item{UIDValidity: 9, UID: 8, Size: 5}) {
		t.Errorf("listed %+v", items)
	}
}

func TestFolderWithoutUIDValidityIsRefused(t *testing.T) {
	addr := play(t, func(p *peer) {
		p.login(capabilities)
		p.say("%s OK", p.hear("NOOP"))
		p.say("* 1 EXISTS\r\n%s OK", p.hear("SELECT"))
		p.hang()
	})
	m := open(t, bare(addr))
	_, err := m.List(t.Context(), mailbox.Inbox)
	wantError(t, err, nil, "no UIDVALIDITY")
}

// The play ends with an error of the test when the client removes a mail whose copy is not confirmed.
func TestUnconfirmedCopyRemovesNothing(t *testing.T) {
	for name, answer := range map[string]string{
		"not confirmed":    "OK done",
		"of another mail":  "OK [COPYUID 9 8 1] done",
		"into no mail":     "OK [COPYUID 9 7] done",
		"no room":          "NO [OVERQUOTA] full",
		"gone in between":  "NO [EXPUNGEISSUED] gone",
		"no target folder": "NO [TRYCREATE] no folder",
	} {
		t.Run(name, func(t *testing.T) {
			addr := play(t, func(p *peer) {
				p.login("IMAP4rev1 UIDPLUS")
				p.say("%s OK", p.hear("NOOP"))
				p.selected()
				p.say("* 1 FETCH (UID 7)\r\n%s OK", p.hear("UID FETCH 7"))
				p.say("%s %s", p.hear("UID COPY 7"), answer)
				p.hear("LOGOUT") // only if the connection is kept
			})
			m := mailbox.New(bare(addr))
			must(t, m.Open(t.Context()))
			wantError(t, m.Move(t.Context(), 9, 7, "Review"), nil, "move mail 7 of INBOX to Review")
			must(t, m.Close(t.Context()))
		})
	}
}

// An OK to a move can mean that nothing was moved.
func TestMoveIsCheckedAfterwards(t *testing.T) {
	const there, gone = "* 1 FETCH (UID 7)\r\n", ""
	for name, tc := range map[string]struct {
		caps, answer, then string
		is                 error
		part               string
	}{
		"still there":                    {"IMAP4rev1 MOVE", "OK", there, nil, "still in INBOX"},
		"left":                           {"IMAP4rev1 MOVE", "OK", gone, nil, ""},
		"UIDPLUS, still there":           {capabilities, "OK", there, nil, "still in INBOX"},
		"UIDPLUS, another was faster":    {capabilities, "OK", gone, mailbox.ErrGone, "move mail 7"},
		"UIDPLUS, another mail":          {capabilities, "OK [COPYUID 9 8 1]", gone, mailbox.ErrGone, "move mail 7"},
		"gone in this moment":            {capabilities, "NO [EXPUNGEISSUED] gone", gone, mailbox.ErrGone, "move mail 7"},
		"UIDPLUS, confirmed":             {capabilities, "OK [COPYUID 9 7 1] done", "", nil, ""},
		"UIDPLUS, confirmed in a set":    {capabilities, "OK [COPYUID 9 6:8 1:3] done", "", nil, ""},
		"refused, as the folder is full": {capabilities, "NO [OVERQUOTA] full", "", nil, "OVERQUOTA"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := play(t, func(p *peer) {
				p.login(tc.caps)
				p.say("%s OK", p.hear("NOOP"))
				p.selected()
				p.say("%s%s OK", there, p.hear("UID FETCH 7"))
				p.say("%s %s", p.hear("UID MOVE 7"), tc.answer)
				if tc.answer == "OK" || strings.Contains(tc.answer, "9 8 1") {
					p.say("%s%s OK", tc.then, p.hear("UID FETCH 7"))
				}
				p.goodbye()
			})
			m := open(t, bare(addr))
			err := m.Move(t.Context(), 9, 7, "Review")
			if tc.part == "" {
				must(t, err)
				return
			}
			wantError(t, err, tc.is, tc.part)
		})
	}
}

// Servers repeat what they do not understand; the password must not get into errors that way.
func TestPasswordIsNeverInErrors(t *testing.T) {
	const password = "h0rse battery"
	encoded := base64.StdEncoding.EncodeToString([]byte("\x00orders\x00" + password))
	for name, f := range map[string]func(p *peer){
		"LOGIN": func(p *peer) {
			p.say("* OK [CAPABILITY IMAP4rev1] hello")
			p.say("%s BAD what is LOGIN orders %q", p.hear("LOGIN"), password)
		},
		"PLAIN": func(p *peer) {
			p.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello")
			p.say("%s NO [X-%s] what is %s", p.hear("AUTHENTICATE"), encoded, encoded)
		},
		"not even IMAP": func(p *peer) {
			p.say("* OK [CAPABILITY IMAP4rev1] hello")
			p.hear("LOGIN")
			p.say("* %s-%s", encoded, strings.ReplaceAll(password, " ", "-"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr := play(t, func(p *peer) { f(p); p.hang() })
			cfg := bare(addr)
			cfg.Password = password
			err := mailbox.New(cfg).Open(t.Context())
			wantError(t, err, nil, addr)
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), password) || strings.Contains(e.Error(), encoded) {
					t.Errorf("the password is in %T: %v", e, e)
				}
			}
		})
	}
}

func TestLoginThatIsForbiddenIsNotTried(t *testing.T) {
	addr := play(t, func(p *peer) {
		p.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello")
		p.hear("nothing")
	})
	wantError(t, mailbox.New(bare(addr)).Open(t.Context()), nil, "set tls to starttls or tls")
}

func TestServerThatNeedsNoLogin(t *testing.T) {
	addr := play(t, func(p *peer) {
		p.say("* PREAUTH [CAPABILITY %s] hello", capabilities)
		p.goodbye()
	})
	open(t, bare(addr))
}

func TestConfiguration(t *testing.T) {
	var cfg mailbox.IMAPConfig
	cfg.SetDefaults()
	if cfg.TLS != mailbox.TLSImplicit || cfg.Timeout != time.Minute || len(cfg.Folders) != 3 {
		t.Errorf("defaults are %+v", cfg)
	}
	must(t, cfg.Validate())
	for want, bad := range map[string]mailbox.IMAPConfig{
		"host:port": {Address: "mail.example.test"},
		`"ssl"`:     {TLS: "ssl"},
		"-1s":       {Timeout: -time.Second},
	} {
		wantError(t, bad.Validate(), nil, want)
		smtp := mailbox.SMTPConfig{Address: bad.Address, TLS: bad.TLS, Timeout: bad.Timeout}
		wantError(t, smtp.Validate(), nil, want)
	}
	missing := mailbox.New(mailbox.IMAPConfig{Address: play(t, func(p *peer) { p.hang() }), CAFile: "nowhere.pem"})
	wantError(t, missing.Open(t.Context()), os.ErrNotExist, "ca_file", "nowhere.pem")
	empty := mailbox.New(mailbox.IMAPConfig{Address: play(t, func(p *peer) { p.hang() }), CAFile: "doc.go"})
	wantError(t, empty.Open(t.Context()), nil, "doc.go holds no PEM certificate")
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
)

// session is one connection that is logged in. It is used by one goroutine at a time.
type session struct {
	socket net.Conn // the one under the encryption: closing it never waits
	client *imapclient.Client
	broken bool // no more use after this

	folder   string // the selected one, "" for none
	validity uint32 // its UIDVALIDITY
}

// connect returns a session that can move mails safely and whose account has all folders of the configuration.
func connect(ctx context.Context, cfg *IMAPConfig) (*session, error) {
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", cfg.Address)
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	s := &session{socket: socket}
	if err := s.run(ctx, func() error { return s.prepare(ctx, cfg) }); err != nil {
		s.close()
		return nil, err
	}
	if s.broken {
		s.close()
		return nil, context.Cause(ctx)
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context, cfg *IMAPConfig) error {
	conn, err := encrypt(ctx, s.socket, cfg)
	if err != nil {
		return err
	}
	s.client = imapclient.New(conn, nil)
	if err := s.client.WaitGreeting(); err != nil {
		return err
	}
	if err := s.login(cfg); err != nil {
		return fmt.Errorf("log in as %q: %w", cfg.Username, redact(err, cfg.Username, cfg.Password))
	}
	caps := s.client.Caps()
	if caps == nil {
		return errors.New("the server does not tell what it can do (CAPABILITY)")
	}
	if !caps.Has(imap.CapMove) && !caps.Has(imap.CapUIDPlus) {
		return ErrUnsafe
	}
	for _, folder := range cfg.Folders {
		if err := s.ensure(folder); err != nil {
			return fmt.Errorf("create folder %s: %w", folder, err)
		}
	}
	return nil
}

// login prefers AUTHENTICATE PLAIN, which carries any password; LOGIN is for servers that do not know it.
func (s *session) login(cfg *IMAPConfig) error {
	if s.client.State() == imap.ConnStateAuthenticated {
		return nil // the server knows who we are already (PREAUTH)
	}
	caps := s.client.Caps()
	switch {
	case caps.Has(imap.AuthCap(sasl.Plain)):
		return s.client.Authenticate(sasl.NewPlainClient("", cfg.Username, cfg.Password))
	case caps.Has(imap.CapLoginDisabled):
		return errors.New("the server allows no login on this connection; set tls to starttls or tls")
	default:
		return s.client.Login(cfg.Username, cfg.Password).Wait()
	}
}

func (s *session) ensure(folder string) error {
	_, err := s.client.Status(folder, &imap.StatusOptions{UIDValidity: true}).Wait()
	if _, refused := errors.AsType[*imap.Error](err); !refused {
		return err
	}
	err = s.client.Create(folder, nil).Wait()
	if answer, ok := errors.AsType[*imap.Error](err); ok && answer.Code == imap.ResponseCodeAlreadyExists {
		return nil // another client was faster
	}
	if err == nil {
		_ = s.client.Subscribe(folder).Wait() // makes it visible in mail programs; not all servers know subscriptions
	}
	return err
}

// run closes the socket under f when ctx ends first. Afterwards the session is broken unless f left the connection in
// a known state: it succeeded, or failed in a way that is about the mail.
func (s *session) run(ctx context.Context, f func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = s.socket.Close() })
	err := f()
	wasCut := !stop()
	intact := err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrUIDValidity)
	s.broken = s.broken || wasCut || !intact
	if wasCut && err != nil {
		return causeOf(ctx, err)
	}
	return err
}

// causeOf prefers the reason why a call was cut off to what the cut made of it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// close cuts the connection and waits for the client's reader.
func (s *session) close() {
	_ = s.socket.Close()
	if s.client != nil {
		_ = s.client.Close() // returns why reading ended, which is that the socket is closed
	}
}

func (s *session) noop() error   { return s.client.Noop().Wait() }
func (s *session) logout() error { return s.client.Logout().Wait() }

// open selects a folder, which also brings what the server tells about it up to date, and checks its UIDVALIDITY unless
// that is zero.
func (s *session) open(folder string, validity uint32) error {
	s.folder, s.validity = "", 0
	data, err := s.client.Select(folder, nil).Wait()
	if err != nil {
		return s.whyNot(folder, err)
	}
	if data.UIDValidity == 0 {
		return errors.New("the server gives no UIDVALIDITY for the folder")
	}
	s.folder, s.validity = folder, data.UIDValidity
	return s.same(validity)
}

// use is open for a folder that may be selected already: UIDVALIDITY cannot change while it is.
func (s *session) use(folder string, validity uint32) error {
	if s.folder != folder {
		return s.open(folder, validity)
	}
	return s.same(validity)
}

func (s *session) same(validity uint32) error {
	if validity != 0 && validity != s.validity {
		return fmt.Errorf("%w: it was %d and is %d", ErrUIDValidity, validity, s.validity)
	}
	return nil
}

// missingFolder recognizes the answers to COPY and MOVE that mean that the target does not exist.
func missingFolder(err error) error {
	if answer, ok := errors.AsType[*imap.Error](err); ok {
		switch answer.Code {
		case imap.ResponseCodeTryCreate, imap.ResponseCodeNonExistent:
			return fmt.Errorf("%w: %w", ErrNoFolder, err)
		}
	}
	return err
}

// whyNot finds out whether a refusal is due to a folder that does not exist: not all servers say so (Dovecot does not).
func (s *session) whyNot(folder string, err error) error {
	if _, refused := errors.AsType[*imap.Error](err); !refused {
		return err
	}
	if found, listErr := s.client.List("", folder, nil).Collect(); listErr == nil && len(found) == 0 {
		return fmt.Errorf("%w: %w", ErrNoFolder, err)
	}
	return err
}

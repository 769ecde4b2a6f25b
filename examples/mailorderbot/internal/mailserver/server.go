package mailserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-smtp"
)

// Config says where the server listens and whom it serves. The zero value listens on free ports of the loopback
// interface, logs nothing and lets in the user "orders" with the password "orders".
type Config struct {
	IMAPAddr string // default 127.0.0.1:0, a free port
	SMTPAddr string // default 127.0.0.1:0, a free port

	Username string // default "orders"; SMTP needs no login but knows AUTH PLAIN
	Password string // default "orders"

	Folders []string // besides INBOX; nil means Processed, Rejected, Review; empty means none
	Address string   // mail that arrives by SMTP for this address goes into INBOX; "" means none does

	TLS      *tls.Config // offers STARTTLS on both ports; nil means no encryption
	Implicit bool        // with TLS: both ports are encrypted from the first byte instead

	Hide   []imap.Cap                  // IMAP extensions that are not offered, such as imap.CapMove
	Accept func(from, to string) error // asked for every SMTP recipient; a *smtp.SMTPError is the answer; nil accepts all

	Log *slog.Logger // protocol trouble with clients, at debug level; nil logs nothing
}

func (c *Config) setDefaults() {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&c.IMAPAddr, "127.0.0.1:0"}, {&c.SMTPAddr, "127.0.0.1:0"}, {&c.Username, "orders"}, {&c.Password, "orders"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.Folders == nil {
		c.Folders = []string{"Processed", "Rejected", "Review"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Server is a running mail server. All methods are safe for concurrent use.
type Server struct {
	cfg     Config
	account *account
	imap    *listener
	smtp    *listener
	serving sync.WaitGroup // the two accept loops
}

// Start listens on both addresses and serves until Close. It fails when an address cannot be listened on, and says which.
func Start(cfg Config) (*Server, error) {
	cfg.setDefaults()
	if cfg.Implicit && cfg.TLS == nil {
		return nil, errors.New("mailserver: Implicit needs TLS")
	}
	imapListener, err := listen("IMAP", cfg.IMAPAddr)
	if err != nil {
		return nil, err
	}
	smtpListener, err := listen("SMTP", cfg.SMTPAddr)
	if err != nil {
		return nil, errors.Join(err, imapListener.Close())
	}
	s := &Server{
		cfg:     cfg,
		account: newAccount(rand.Uint32N(1<<31), cfg.Folders), // not the time: two servers may start within a second
		imap:    imapListener,
		smtp:    smtpListener,
	}
	logger := slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)
	s.serve("IMAP", s.imap, s.newIMAP(logger).Serve)
	s.serve("SMTP", s.smtp, s.newSMTP(logger).Serve)
	return s, nil
}

func (s *Server) serve(name string, l *listener, accept func(net.Listener) error) {
	var ln net.Listener = l
	if s.cfg.Implicit {
		ln = tls.NewListener(l, s.cfg.TLS)
	}
	s.serving.Go(func() {
		if err := accept(ln); err != nil && !errors.Is(err, net.ErrClosed) {
			s.cfg.Log.Error("the mail server accepts no more connections", "protocol", name, "error", err)
		}
	})
}

// startTLS is what the two protocols may offer inside a plain connection.
func (s *Server) startTLS() *tls.Config {
	if s.cfg.Implicit {
		return nil
	}
	return s.cfg.TLS
}

func (s *Server) newIMAP(logger *log.Logger) *imapserver.Server {
	caps := imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapMove: {}}
	for _, hidden := range s.cfg.Hide {
		delete(caps, hidden)
	}
	return imapserver.New(&imapserver.Options{
		Caps:         caps,
		InsecureAuth: true,
		TLSConfig:    s.startTLS(),
		Logger:       logger,
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return newSession(c, s.account, &s.cfg, caps.Has(imap.CapUIDPlus)), nil, nil
		},
	})
}

func (s *Server) newSMTP(logger *log.Logger) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &smtpSession{cfg: &s.cfg, account: s.account}, nil
	}))
	server.Domain = "localhost"
	server.AllowInsecureAuth = true
	server.TLSConfig = s.startTLS()
	server.ErrorLog = logger
	server.MaxMessageBytes = maxMail
	server.MaxRecipients = 100
	server.MaxLineLength = 1 << 20
	server.ReadTimeout, server.WriteTimeout = 5*time.Minute, 5*time.Minute
	return server
}

// IMAPAddr returns the host and port of the IMAP server.
func (s *Server) IMAPAddr() string { return s.imap.Addr().String() }

// SMTPAddr returns the host and port of the SMTP server.
func (s *Server) SMTPAddr() string { return s.smtp.Addr().String() }

// Deliver puts a mail into INBOX, exactly these bytes, and returns its UID.
func (s *Server) Deliver(raw []byte) uint32 {
	data := s.account.deliver(bytes.Clone(raw))
	return uint32(data.UID)
}

// Rebuild gives a folder a new UIDVALIDITY and its mails new UIDs, as a restored backup has them. Clients that have the
// folder open are disconnected.
func (s *Server) Rebuild(folder string) error {
	if err := s.account.rebuild(folder); err != nil {
		return fmt.Errorf("mailserver: rebuild %s: %w", folder, err)
	}
	return nil
}

// DropConnections cuts all connections of clients, as a failing network does. New ones are served.
func (s *Server) DropConnections() {
	s.imap.cutAll()
	s.smtp.cutAll()
}

// Close stops listening, cuts all connections and returns when the last one is no longer served. Mails stay readable by
// Folders, Counts, Status and Sent. Closing again does nothing.
func (s *Server) Close() error {
	err := errors.Join(s.imap.shut(), s.smtp.shut())
	s.serving.Wait()
	return err
}

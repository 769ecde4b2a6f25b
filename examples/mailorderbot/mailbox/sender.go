package mailbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Sender sends mails through one SMTP server. It keeps no connection, so there is nothing to open or close. It is safe for
// concurrent use.
type Sender struct {
	cfg SMTPConfig
}

// NewSender returns a Sender. It does no I/O; Send reports what is wrong with the configuration.
func NewSender(cfg SMTPConfig) *Sender {
	cfg.SetDefaults()
	return &Sender{cfg: cfg}
}

// The steps of sending, as SendError.Step names them.
const (
	stepConfig    = "configuration"
	stepConnect   = "connect"
	stepLogin     = "log in"
	stepSender    = "sender"
	stepRecipient = "recipient"
	stepData      = "data"
	stepConfirm   = "confirmation"
)

// Send sends a mail, an RFC 5322 message, to one recipient with the null sender in the envelope. It returns nil when the
// server has taken the mail over, else a *SendError. It ends when ctx ends, at the latest after SMTPConfig.Timeout.
func (s *Sender) Send(ctx context.Context, to string, msg []byte) error {
	ctx, stop := context.WithTimeoutCause(ctx, s.cfg.Timeout, timeoutError{s.cfg.Timeout})
	defer stop()
	d := &delivery{cfg: &s.cfg, to: to, msg: msg, step: stepConfig}
	err := check(s.cfg.Address, s.cfg.Validate())
	if err == nil {
		err = d.run(ctx)
	}
	if err == nil {
		return nil
	}
	failed := &SendError{Server: s.cfg.Address, To: to, Step: d.step, Err: err}
	if answer, ok := errors.AsType[*smtp.SMTPError](err); ok {
		failed.Code = answer.Code
	}
	failed.permanent = d.refusedForGood(failed.Code, err)
	failed.uncertain = d.step == stepConfirm && failed.Code == 0
	return failed
}

// delivery is one mail on its way.
type delivery struct {
	cfg    *SMTPConfig
	to     string
	msg    []byte
	step   string
	client *smtp.Client
}

// refusedForGood tells whether the mail itself was refused. Before the sender is named, the server knows nothing of the
// mail: what it refuses then is us.
func (d *delivery) refusedForGood(code int, err error) bool {
	if errors.Is(err, errAddress) {
		return true
	}
	switch d.step {
	case stepSender, stepRecipient, stepData, stepConfirm:
		return code >= 500
	}
	return false
}

func (d *delivery) run(ctx context.Context) error {
	if err := checkAddress(d.to); err != nil {
		d.step = stepRecipient
		return err
	}
	d.step = stepConnect
	encryption, err := tlsConfig(d.cfg.Address, d.cfg.CAFile)
	if err != nil {
		return err
	}
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.cfg.Address)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer context.AfterFunc(ctx, func() { _ = socket.Close() })()
	defer func() { _ = socket.Close() }()
	err = d.converse(socket, encryption)
	if _, answered := errors.AsType[*smtp.SMTPError](err); err == nil || answered {
		return err
	}
	return causeOf(ctx, err)
}

// converse goes through the steps; d.step is the one that is being tried.
func (d *delivery) converse(socket net.Conn, encryption *tls.Config) error {
	if err := d.greet(socket, encryption); err != nil {
		return err
	}
	d.step = stepLogin
	if err := d.login(); err != nil {
		return redact(err, d.cfg.Username, d.cfg.Password)
	}
	d.step = stepSender
	if err := d.client.Mail("", nil); err != nil {
		return err
	}
	d.step = stepRecipient
	if err := d.client.Rcpt(d.to, nil); err != nil {
		return err
	}
	d.step = stepData
	w, err := d.client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(d.msg); err != nil {
		return err
	}
	d.step = stepConfirm // from here on the server may have all of it
	if err := w.Close(); err != nil {
		return err
	}
	_ = d.client.Quit() // the mail is delivered, whatever becomes of the connection
	return nil
}

func (d *delivery) greet(socket net.Conn, encryption *tls.Config) error {
	switch d.cfg.TLS {
	case TLSImplicit:
		d.client = smtp.NewClient(tls.Client(socket, encryption))
	case TLSStartTLS:
		client, err := smtp.NewClientStartTLS(socket, encryption)
		if err != nil {
			return err
		}
		d.client = client
	default:
		d.client = smtp.NewClient(socket)
	}
	d.client.CommandTimeout, d.client.SubmissionTimeout = 2*d.cfg.Timeout, 2*d.cfg.Timeout // the context is first
	return d.client.Hello(d.cfg.Hello)
}

func (d *delivery) login() error {
	switch {
	case d.cfg.Username == "":
		return nil
	case d.client.SupportsAuth(sasl.Plain):
		return d.client.Auth(sasl.NewPlainClient("", d.cfg.Username, d.cfg.Password))
	case d.client.SupportsAuth(sasl.Login):
		return d.client.Auth(sasl.NewLoginClient(d.cfg.Username, d.cfg.Password))
	}
	return errors.New("the server offers no login that is known here (AUTH PLAIN or LOGIN)")
}

var errAddress = errors.New("this is no mail address in plain ASCII")

// checkAddress refuses what could break out of the command that it is written into, and what the protocol cannot carry.
func checkAddress(to string) error {
	for _, c := range []byte(to) {
		if c <= ' ' || c > '~' || c == '<' || c == '>' {
			return fmt.Errorf("%w: %q", errAddress, to)
		}
	}
	if to == "" {
		return fmt.Errorf("%w: %q", errAddress, to)
	}
	return nil
}

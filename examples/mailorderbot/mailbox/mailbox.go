package mailbox

import (
	"context"
	"errors"
	"sync"
	"time"
)

// courtesy is how long a server may take to say goodbye before the connection is just closed.
const courtesy = time.Second

// Inbox is the folder where new mails arrive.
const Inbox = "INBOX"

// Mailbox is one IMAP account. All methods are safe for concurrent use; calls take turns on one connection.
type Mailbox struct {
	cfg  IMAPConfig
	turn chan struct{} // holds one token; who put it there may use session

	session *session // nil when there is no connection

	mu   sync.Mutex
	life context.Context // ends with Close; nil while not open
	end  context.CancelCauseFunc
}

// New returns a closed Mailbox. It does no I/O; Open reports what is wrong with the configuration.
func New(cfg IMAPConfig) *Mailbox {
	cfg.SetDefaults()
	return &Mailbox{cfg: cfg, turn: make(chan struct{}, 1)}
}

// Open connects, logs in, makes sure that mails can be moved safely and creates missing folders. When it fails, the Mailbox
// is closed and Open can be tried again.
func (m *Mailbox) Open(ctx context.Context) error {
	if err := check(m.cfg.Address, m.cfg.Validate()); err != nil {
		return m.fail("open", err)
	}
	m.mu.Lock()
	if m.life != nil {
		m.mu.Unlock()
		return m.fail("open", errors.New("the mailbox is open already"))
	}
	m.life, m.end = context.WithCancelCause(context.Background())
	m.mu.Unlock()
	if err := m.Ping(ctx); err != nil {
		return errors.Join(err, m.Close(ctx))
	}
	return nil
}

// Close ends calls in flight, logs out if the server agrees within ctx and one second, and closes the connection. Closing a
// closed Mailbox does nothing.
func (m *Mailbox) Close(ctx context.Context) error {
	m.mu.Lock()
	end := m.end
	m.life, m.end = nil, nil
	m.mu.Unlock()
	if end == nil {
		return nil
	}
	end(ErrNotOpen)
	m.turn <- struct{}{} // comes at once: the call that has it was cut off
	defer func() { <-m.turn }()
	if s := m.session; s != nil {
		ctx, stop := context.WithTimeout(ctx, courtesy)
		defer stop()
		_ = s.run(ctx, s.logout)
		m.drop()
	}
	return nil
}

// Ping makes sure that the account can be reached, with a new connection if necessary.
func (m *Mailbox) Ping(ctx context.Context) error {
	return m.do(ctx, Error{Op: "connect"}, func(*session) error { return nil })
}

// do gives f the connection, alone, until ctx, the time limit or the Mailbox ends. It describes f's error by what.
func (m *Mailbox) do(ctx context.Context, what Error, f func(*session) error) error {
	err := m.take(ctx, f)
	if err == nil {
		return nil
	}
	if described, ok := errors.AsType[*Error](err); ok { // connecting failed, which says more than what f would have done
		return described
	}
	what.Server, what.Err = m.cfg.Address, err
	return &what
}

func (m *Mailbox) take(ctx context.Context, f func(*session) error) error {
	m.mu.Lock()
	life := m.life
	m.mu.Unlock()
	if life == nil {
		return ErrNotOpen
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(life, func() { cancel(ErrNotOpen) })()

	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if life.Err() != nil { // closed while waiting for the turn: nothing may be connected any more
		return ErrNotOpen
	}
	ctx, stop := context.WithTimeoutCause(ctx, m.cfg.Timeout, timeoutError{m.cfg.Timeout})
	defer stop()
	s, err := m.connected(ctx)
	if err != nil {
		return err
	}
	err = s.run(ctx, func() error { return f(s) })
	if s.broken {
		m.drop()
	}
	return err
}

// connected returns a session that is known to work. A server or a network that dropped the old connection is noticed
// here, where nothing has been asked of it yet; an old connection that is silent gets a part of the time only.
func (m *Mailbox) connected(ctx context.Context) (*session, error) {
	if s := m.session; s != nil {
		part, stop := context.WithTimeout(ctx, max(m.cfg.Timeout/4, time.Millisecond))
		defer stop()
		if s.run(part, s.noop) == nil && !s.broken {
			return s, nil
		}
		m.drop()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s, err := connect(ctx, &m.cfg)
	if err != nil {
		return nil, m.fail("connect", err)
	}
	m.session = s
	return s, nil
}

// drop closes the connection. The caller has the turn.
func (m *Mailbox) drop() {
	m.session.close()
	m.session = nil
}

func (m *Mailbox) fail(op string, err error) error {
	return &Error{Server: m.cfg.Address, Op: op, Err: err}
}

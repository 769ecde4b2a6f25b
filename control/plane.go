package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/plba/plba/runtime"
)

// Channel carries the operations of a Service to operators in some protocol. What each operation demands, and what becomes of it, is the service's: a channel
// finds out who asks and hands over.
type Channel interface {
	// Name tells channels apart in errors and in the audit.
	Name() string
	// Start returns when the channel can be reached.
	Start(ctx context.Context, svc *Service) error
	// Stop returns when nothing of the channel runs any more, or when ctx ends. Stopping twice is fine.
	Stop(ctx context.Context) error
}

// Plane is the control plane of one application: the service, and the channels that carry it. It is a runtime.Channel, so the runtime starts and stops it. All
// methods are safe for concurrent use.
type Plane struct {
	auth     *authority
	file     *auditFile // nil without
	http     *HTTP
	channels []Channel

	mu  sync.Mutex // guards what follows
	svc *Service   // from the first start on
	up  []Channel  // those that run
}

var _ runtime.Channel = (*Plane)(nil)

// Option tunes New.
type Option interface{ plane(*options) }

type options struct {
	terminal       io.Writer
	unheard        bool
	channels       []Channel
	authenticators []Authenticator
}

type option func(*options)

func (f option) plane(o *options) { f(o) }

// WithTerminal is where the token of the first run is shown, once (default os.Stderr). It is never logged.
func WithTerminal(w io.Writer) Option { return option(func(o *options) { o.terminal = w }) }

// WithoutListener leaves out whatever listens, the socket too: the control plane is only where Handler mounts it. No token is made at start then.
func WithoutListener() Option { return option(func(o *options) { o.unheard = true }) }

// WithChannel adds a channel of another protocol. Its name must be its own.
func WithChannel(c Channel) Option {
	return option(func(o *options) { o.channels = append(o.channels, c) })
}

// WithAuthenticator adds a way to find out who asks, beside the configured tokens and certificates. With one authentication counts as configured.
func WithAuthenticator(a Authenticator) Option {
	return option(func(o *options) { o.authenticators = append(o.authenticators, a) })
}

// New makes the control plane of a configuration. It does no I/O; the error names everything in cfg that cannot be used.
func New(cfg Config, opts ...Option) (*Plane, error) {
	o := options{terminal: os.Stderr}
	for _, opt := range opts {
		opt.plane(&o)
	}
	cfg.Authenticated = len(o.authenticators) > 0
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Plane{auth: newAuthority(cfg, o.authenticators)}
	if cfg.Audit.File != "" {
		p.file = &auditFile{path: cfg.Audit.File}
	}
	token := ""
	if !p.auth.configured && !o.unheard {
		text, first := firstRun()
		token, p.auth.chain = text, []Authenticator{tokens{first}}
	}
	p.http = newHTTP(cfg, o, p.auth, token)
	p.channels = []Channel{p.http}
	if cfg.Socket.Path != "" && !o.unheard {
		p.channels = append(p.channels, newSocket(cfg.Socket))
	}
	p.channels = append(p.channels, o.channels...)
	names := map[string]bool{}
	for _, c := range p.channels {
		if names[c.Name()] {
			return nil, fmt.Errorf("two control channels have the name %q", c.Name())
		}
		names[c.Name()] = true
	}
	return p, nil
}

// Name is "control".
func (p *Plane) Name() string { return "control" }

// HTTP is the channel that speaks HTTP.
func (p *Plane) HTTP() *HTTP { return p.http }

// Start opens the channels. When one fails those before it are stopped again, and the error names it.
func (p *Plane) Start(ctx context.Context, a *runtime.App) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.up) > 0 {
		return errors.New("the control plane has started already")
	}
	if p.svc == nil {
		p.svc = newService(a, p.auth, p.file, p.http.cfg)
	}
	if p.file != nil { // before anything can be asked
		if err := p.file.open(); err != nil {
			return err
		}
	}
	p.svc.reopen()
	for _, c := range p.channels {
		if err := c.Start(ctx, p.svc); err != nil {
			return errors.Join(fmt.Errorf("control channel %s: %w", c.Name(), err), p.close(context.WithoutCancel(ctx)))
		}
		p.up = append(p.up, c)
	}
	return nil
}

// Stop closes the channels, and then the service, until ctx ends.
func (p *Plane) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.close(ctx)
}

// close is called with mu held.
func (p *Plane) close(ctx context.Context) error {
	if p.svc == nil {
		return nil
	}
	var all []error
	for _, c := range p.up {
		if err := c.Stop(ctx); err != nil {
			all = append(all, fmt.Errorf("control channel %s: %w", c.Name(), err))
		}
	}
	p.up = nil
	all = append(all, p.svc.Close(ctx))
	if p.file != nil {
		all = append(all, p.file.close())
	}
	return errors.Join(all...)
}

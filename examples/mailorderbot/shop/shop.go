package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// Shop connects the desk, the mailbox and the store. Its methods are safe for concurrent use between Open and Close.
type Shop struct {
	cfg     Config
	samples fs.FS
	now     func() time.Time

	desk   *domain.Desk
	box    *mailbox.Mailbox
	sender *mailbox.Sender
	db     *sql.DB
	turns  *turns

	mu   sync.Mutex
	open bool // the mailbox is
}

// New makes a closed shop. cfg has passed Validate and Complete. samples holds catalogue.csv and customers.csv, for where cfg names no files.
func New(cfg Config, samples fs.FS) *Shop {
	return &Shop{cfg: cfg, samples: samples, now: time.Now, turns: newTurns()}
}

// UseServers sets the addresses of the mail servers. It is called before Open.
func (s *Shop) UseServers(imap, smtp string) { s.cfg.IMAP.Address, s.cfg.SMTP.Address = imap, smtp }

// UseStore sets the path of the store. It is called before Open.
func (s *Shop) UseStore(path string) { s.cfg.Store = path }

// Open reads catalogue and customers and opens the store. The mailbox is opened by the first call that needs it, so that a mail server that is away at the
// start is retried like one that goes away later.
func (s *Shop) Open(ctx context.Context) error {
	catalogue, err := read(s, "catalogue", s.cfg.Catalogue, domain.ReadCatalogue)
	if err != nil {
		return err
	}
	customers, err := read(s, "customers", s.cfg.Customers, domain.ReadCustomers)
	if err != nil {
		return err
	}
	s.desk = domain.NewDesk(catalogue, customers, domain.Policy{
		OwnAddress: s.cfg.Account, AuthservID: s.cfg.AuthservID, MaxMailBytes: s.cfg.MaxMailBytes, Partial: s.cfg.Partial,
	})
	db, err := openStore(ctx, s.cfg.Store)
	if err != nil {
		return err
	}
	s.db, s.box, s.sender = db, mailbox.New(s.cfg.IMAP), mailbox.NewSender(s.cfg.SMTP)
	return nil
}

// read reads the file that the key of the configuration names, or the sample.
func read[T any](s *Shop, key, path string, parse func(io.Reader) (T, error)) (v T, err error) {
	var f fs.File
	if path == "" {
		path = key + ".csv"
		f, err = s.samples.Open(path)
	} else {
		f, err = os.Open(path)
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close() // only read
	if v, err = parse(f); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// Close closes the mailbox and the store. It does nothing after an Open that failed.
func (s *Shop) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	s.open = false
	return errors.Join(s.box.Close(ctx), s.db.Close())
}

// inbox is the opened mailbox.
func (s *Shop) inbox(ctx context.Context) (*mailbox.Mailbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		if err := s.box.Open(ctx); err != nil {
			return nil, err
		}
		s.open = true
	}
	return s.box, nil
}

// CheckStore tells whether the store can be read.
func (s *Shop) CheckStore(ctx context.Context) error {
	var n int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM mails LIMIT 1)`).Scan(&n); err != nil {
		return fmt.Errorf("store %s: %w", s.cfg.Store, err)
	}
	return nil
}

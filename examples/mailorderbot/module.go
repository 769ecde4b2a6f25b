package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/shop"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// module composes the application. Everything that knows both the platform and the business is in this file.
type module struct {
	once          bool
	mails, listen string
	deliver       []mailserver.File // from the folder mails
	otherPort     bool              // than the usual one, which is taken
	control       string            // where the control plane is; "" when it is off
	out           io.Writer

	cfg   shop.Config
	shop  *shop.Shop
	queue *queue.Queue[domain.MailRef]
	stop  func(reason string)
	demo  *demo // nil with a real account

	mu       sync.Mutex // guards what follows, and out
	began    time.Time  // the first start
	done     int        // mails moved by this process
	inbox    int        // mails at the last look
	progress time.Time  // when that changed last
	rested   bool       // the inbox was empty once
	tabled   bool       // the tables were printed
}

// Name is the name of the application and of its section in the configuration.
func (*module) Name() string { return "mail_order_bot" }

// Register declares what the application is made of.
func (m *module) Register(r *plba.Registry) error {
	m.configure(r)
	if m.demo != nil {
		r.Resource("mail-server", m.startDemo, m.stopDemo)
	}
	r.Resource("shop", m.shop.Open, m.shop.Close, plba.Critical())
	r.Resource("report", m.begin, m.end)
	r.Health("store", m.shop.CheckStore, plba.Critical())

	m.queue = plba.Queue(r, "mails", queue.Spec[domain.MailRef]{
		Unique: func(ref domain.MailRef) string { return fmt.Sprintf("%s/%d/%d", ref.Account, ref.UIDValidity, ref.UID) },
	})
	orders := plba.Pipeline(r, pipeline.New[domain.MailRef, pipeline.Done]("orders").
		Stage(pipeline.Map("load", m.load)).
		Stage(pipeline.Map("parse", m.shop.Parse).Timeout(30*time.Second)).
		Stage(pipeline.Each("attachments", pipeline.Map("decode", m.shop.Decode), pipeline.AtOnce(4)).KeyedBy(domain.FileName)).
		Stage(pipeline.Map("decide", m.shop.Decide)).
		Stage(pipeline.Map("store", m.store)).
		Stage(pipeline.Map("confirm", m.shop.Confirm).Retry(3)).
		Stage(pipeline.Sink("move", m.move)))

	r.Worker(workers.Poll("mail-polling", m.cfg.PollEvery, m.search, workers.Timeout(10*time.Minute)))
	r.Worker(workers.Consume("email-processing", m.queue, orders, workers.Concurrency(3)), plba.Critical())
	return nil
}

// configure reads the section of this module. Faults in it do not end the registration, so that those of queues and workers are reported with them.
func (m *module) configure(r *plba.Registry) {
	cfg, err := plba.Section[shop.Config](r, m.Name())
	if err != nil {
		r.Fault(err)
		cfg = shop.Config{}
		cfg.SetDefaults()
	}
	cfg.Complete()
	m.cfg, m.shop, m.stop = cfg, shop.New(cfg, samples()), r.RequestStop
	switch {
	case cfg.Demonstration():
		m.demo = &demo{}
	case m.mails != "":
		r.Fault(errMailsWithAccount)
	}
}

func (m *module) load(ctx context.Context, ref domain.MailRef) (domain.Raw, error) {
	raw, err := m.shop.Load(ctx, ref)
	return raw, outcome(err)
}

func (m *module) store(ctx context.Context, d domain.Decision) (domain.Decision, error) {
	d, err := m.shop.Store(ctx, d)
	return d, outcome(err)
}

// outcome says in the platform's words what is no failure: a mail that waits for an earlier one, and one that is not there any more.
func outcome(err error) error {
	switch {
	case errors.Is(err, shop.ErrEarlierMail):
		return task.Snooze(100*time.Millisecond, err.Error())
	case errors.Is(err, shop.ErrLeft):
		return task.Drop(err.Error())
	}
	return err
}

func (m *module) move(ctx context.Context, d domain.Decision) error {
	moved, err := m.shop.Move(ctx, d)
	if moved {
		m.tell(d)
	}
	return err
}

// search looks into the inbox, and whether there is anything left to do.
func (m *module) search(ctx context.Context) (int, error) {
	found, err := m.shop.Search(ctx, m.queue)
	if err == nil {
		m.look(ctx, found)
	}
	if m.once {
		m.checkDone(found, err)
	}
	return found.New, err
}

// checkDone ends the process when the inbox is empty, or nothing gets done.
func (m *module) checkDone(found shop.Found, err error) {
	m.mu.Lock()
	stuck := time.Since(m.progress) >= m.cfg.GiveUpAfter
	m.mu.Unlock()
	switch {
	case err == nil && found.Inbox == 0:
		m.stop("the inbox is empty")
	case err != nil && stuck:
		m.stop(fmt.Sprintf("nothing has moved for %s: %v", m.cfg.GiveUpAfter, err))
	case stuck:
		m.stop(fmt.Sprintf("no mail has left the inbox for %s", m.cfg.GiveUpAfter))
	}
}

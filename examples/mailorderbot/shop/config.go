package shop

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// Config is the section mail_order_bot of the configuration.
type Config struct {
	Account        string             `koanf:"account"`          // the inbox' own mail address; answers come from it
	AuthservID     string             `koanf:"authserv_id"`      // the mail server whose Authentication-Results count; without it every mail goes to Review
	PollEvery      time.Duration      `koanf:"poll_every"`       // pause between two looks into the inbox; default 15s, in the demonstration 500ms
	Store          string             `koanf:"store"`            // path of the SQLite file that keeps the orders
	Catalogue      string             `koanf:"catalogue"`        // path of a CSV file: article, name, pack, price; in the demonstration the sample
	Customers      string             `koanf:"customers"`        // path of a CSV file: number, name, address; in the demonstration the sample
	MaxMailBytes   int64              `koanf:"max_mail_bytes"`   // larger mails are rejected without being fetched; default 25 MiB
	Partial        bool               `koanf:"partial"`          // take the good lines of an order with bad ones; default false
	AnswersPerHour int                `koanf:"answers_per_hour"` // to one address, so that two programs cannot write to each other for ever; 0 sends none; default 20
	GiveUpAfter    time.Duration      `koanf:"give_up_after"`    // with -once: stop when no mail has left the inbox for so long; default 2m
	IMAP           mailbox.IMAPConfig `koanf:"imap"`             // without an address the program starts its own mail server
	SMTP           mailbox.SMTPConfig `koanf:"smtp"`
}

// SetDefaults fills what does not depend on whether this is the demonstration.
func (c *Config) SetDefaults() {
	c.MaxMailBytes = domain.DefaultMaxMailBytes
	c.AnswersPerHour = 20
	c.GiveUpAfter = 2 * time.Minute
}

// Demonstration says whether no account is configured, so that the program shows itself with its own mail server.
func (c *Config) Demonstration() bool { return c.IMAP.Address == "" }

// Complete fills what is not set and depends on that. It is called after Validate.
func (c *Config) Complete() {
	if !c.Demonstration() {
		c.PollEvery = cmp.Or(c.PollEvery, 15*time.Second)
		return
	}
	c.PollEvery = cmp.Or(c.PollEvery, 500*time.Millisecond)
	c.Account = cmp.Or(c.Account, "orders@nordwind.example")
	c.AuthservID = cmp.Or(c.AuthservID, "mx.nordwind.example")
	c.IMAP.Username, c.IMAP.Password = cmp.Or(c.IMAP.Username, "orders"), cmp.Or(c.IMAP.Password, "orders")
	c.IMAP.TLS, c.SMTP.TLS = mailbox.TLSNone, mailbox.TLSNone // nothing leaves the process
}

// Validate reports what cannot work, all at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.PollEvery < 0 {
		bad("poll_every must not be negative, not %s", c.PollEvery)
	}
	if c.MaxMailBytes <= 0 {
		bad("max_mail_bytes must be more than 0, not %d", c.MaxMailBytes)
	}
	if c.AnswersPerHour < 0 {
		bad("answers_per_hour must not be negative, not %d", c.AnswersPerHour)
	}
	if c.GiveUpAfter <= 0 {
		bad("give_up_after must be more than 0, not %s", c.GiveUpAfter)
	}
	if c.Demonstration() {
		if c.SMTP.Address != "" {
			bad("smtp.address is set and imap.address is not: set both, or none for the demonstration")
		}
		return errors.Join(errs...)
	}
	for _, needed := range []struct{ value, key, what string }{
		{c.SMTP.Address, "smtp.address", "the server that sends the answers, host:port"},
		{c.Account, "account", "the inbox' own mail address"},
		{c.AuthservID, "authserv_id", "the name that your mail server puts into Authentication-Results; without it no sender can be trusted"},
		{c.Store, "store", "the path of the SQLite file that keeps the orders"},
		{c.Catalogue, "catalogue", "the path of a CSV file: article,name,pack,price"},
		{c.Customers, "customers", "the path of a CSV file: number,name,address"},
	} {
		if needed.value == "" {
			bad("%s is not set: give %s", needed.key, needed.what)
		}
	}
	return errors.Join(errs...)
}

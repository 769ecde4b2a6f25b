package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// AuditOutcome says what became of what was asked.
type AuditOutcome string

// The outcomes.
const (
	AuditAccepted AuditOutcome = "accepted" // it was done, or begun
	AuditRefused  AuditOutcome = "refused"  // it does not apply, or makes no sense
	AuditDenied   AuditOutcome = "denied"   // who asked may not
	AuditFailed   AuditOutcome = "failed"   // it should have worked
)

// AuditRecord is one line of the audit: who asked for what, by which way, why, and what became of it.
type AuditRecord struct {
	ID        string       `json:"id"`
	At        time.Time    `json:"at"`
	By        string       `json:"by,omitempty"` // "" when it is not known
	Role      Role         `json:"role,omitempty"`
	Channel   string       `json:"channel"`
	From      string       `json:"from,omitempty"` // the address
	Asked     string       `json:"asked"`          // the operation of the control plane
	Target    string       `json:"target,omitempty"`
	Task      string       `json:"task,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Outcome   AuditOutcome `json:"outcome"`
	Detail    string       `json:"detail,omitempty"`    // why it was not accepted
	Operation string       `json:"operation,omitempty"` // the ID of what was accepted
	Skipped   uint64       `json:"skipped,omitempty"`   // denials before this one that were too many to record
}

// The bounds of the audit.
const (
	keptRecords   = 1000
	deniedASecond = 20 // denials that are recorded; more are counted, so that nobody outside can fill a disk
)

// audit keeps what was asked: the last records in memory, and all of them in a file if there is one. Each record is one line of JSON, so nothing that is asked
// can look like another line.
type audit struct {
	epoch string
	log   *slog.Logger
	file  *auditFile // nil without

	mu      sync.Mutex // guards what follows, and the order in the file
	last    uint64
	records []AuditRecord // the oldest first
	second  time.Time     // in which denials were recorded
	denials int
	skipped uint64
}

func (a *audit) add(r AuditRecord) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addLocked(r)
}

func (a *audit) addLocked(r AuditRecord) {
	a.last++
	r.ID, r.At = a.epoch+"-"+strconv.FormatUint(a.last, 10), time.Now().UTC()
	if len(a.records) == keptRecords {
		a.records = slices.Delete(a.records, 0, 1)
	}
	a.records = append(a.records, r)
	if a.file == nil {
		return
	}
	if err := a.file.write(r); err != nil {
		a.log.Error("the audit cannot be written", "error", err, "asked", r.Asked, "by", r.By, "outcome", string(r.Outcome))
	}
}

// denied records that somebody may not do what he asked.
func (a *audit) denied(c *caller, asked, why string) {
	r := recordOf(c, asked)
	r.Outcome, r.Detail = AuditDenied, why
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.second) >= time.Second {
		a.second, a.denials = now, 0
	}
	if a.denials == deniedASecond {
		a.skipped++
		return
	}
	a.denials++
	r.Skipped, a.skipped = a.skipped, 0
	a.log.Warn("control operation denied", "asked", r.Asked, "by", r.By, "role", string(r.Role), "channel", r.Channel, "from", r.From, "why", why)
	a.addLocked(r)
}

func recordOf(c *caller, asked string) AuditRecord {
	r := AuditRecord{By: c.Name, Role: c.Role, Channel: c.channel, Asked: visible(asked, maxEcho)}
	if c.from.IsValid() {
		r.From = c.from.String()
	}
	return r
}

// visible bounds a text and leaves nothing in it that could deceive who reads it on a terminal.
func visible(s string, limit int) string {
	return cutTo(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s), limit)
}

// described is an input that says what it is about.
type described interface {
	about() (target, task, reason string)
}

// recorded puts what is asked, and what becomes of it, into the audit, if the endpoint is of that kind.
func recorded[I, O any](e endpoint, do func(context.Context, *Service, *I) (O, error)) func(context.Context, *Service, *I) (O, error) {
	if !e.changes() && !e.audited {
		return do
	}
	return func(ctx context.Context, s *Service, in *I) (O, error) {
		out, err := do(ctx, s, in)
		c := callerOf(ctx)
		r := recordOf(c, e.id)
		if d, ok := any(in).(described); ok {
			r.Target, r.Task, r.Reason = d.about()
			r.Target, r.Task, r.Reason = visible(r.Target, maxEcho), visible(r.Task, maxEcho), visible(r.Reason, maxReason)
		}
		if o, ok := any(out).(Operation); ok {
			r.Operation = o.ID
		}
		r.Outcome, r.Detail = outcomeOf(err)
		c.recorded = true
		s.audit.add(r)
		return out, err
	}
}

func outcomeOf(err error) (AuditOutcome, string) {
	var e *Error
	switch {
	case err == nil:
		return AuditAccepted, ""
	case errors.As(err, &e) && e.Kind != ErrUnavailable:
		return AuditRefused, e.Detail
	}
	return AuditFailed, err.Error()
}

// AuditFilter chooses records. Its zero value chooses the latest 100.
type AuditFilter struct {
	By      string       // "" for all
	Asked   string       // "" for all
	Outcome AuditOutcome // "" for all
	Before  string       // the ID of the one before which to begin, "" for the latest
	Limit   int          // 1 to 1000; more counts as 1000, 0 as 100
}

// Audit gives the records that are kept, the last 1000, the latest first. next is the Before that goes on, "" at the end.
func (s *Service) Audit(f AuditFilter) (list []AuditRecord, next string, err error) {
	if f.Outcome != "" && !slices.Contains(auditOutcomes, f.Outcome) {
		return nil, "", invalid("outcome", "outcome must be one of "+joined(auditOutcomes))
	}
	limit, err := pageSize(f.Limit)
	if err != nil {
		return nil, "", err
	}
	s.audit.mu.Lock()
	defer s.audit.mu.Unlock()
	from := len(s.audit.records)
	if f.Before != "" {
		if from = slices.IndexFunc(s.audit.records, func(r AuditRecord) bool { return r.ID == f.Before }); from < 0 {
			return nil, "", invalid("before", "there is no such record any more; begin anew without before")
		}
	}
	list = []AuditRecord{}
	for _, r := range slices.Backward(s.audit.records[:from]) {
		if f.By != "" && r.By != f.By || f.Asked != "" && r.Asked != f.Asked || f.Outcome != "" && r.Outcome != f.Outcome {
			continue
		}
		if len(list) == limit {
			return list, list[limit-1].ID, nil
		}
		list = append(list, r)
	}
	return list, "", nil
}

var auditOutcomes = []AuditOutcome{AuditAccepted, AuditRefused, AuditDenied, AuditFailed}

// note records what no endpoint has recorded: what was refused before it came to its operation, and operations of the application.
func (a *audit) note(c *caller, asked string, status int) {
	r := recordOf(c, asked)
	switch {
	case status >= 500:
		r.Outcome, r.Detail = AuditFailed, fmt.Sprintf("status %d", status)
	case status >= 400:
		r.Outcome, r.Detail = AuditRefused, fmt.Sprintf("status %d", status)
	default:
		r.Outcome = AuditAccepted
	}
	a.add(r)
}

package runtime

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plba/plba/workers"
)

// Outcome of a worker's stop.
type Outcome string

const (
	// Drained: everything in flight ended by itself.
	Drained Outcome = "drained"
	// Forced: contexts had to be cancelled.
	Forced Outcome = "forced"
	// Abandoned: a call ignored its cancelled context and still runs.
	Abandoned Outcome = "abandoned"
)

// WorkerReceipt tells how one worker was stopped.
type WorkerReceipt struct {
	Name        string  `json:"name"`
	Outcome     Outcome `json:"outcome"`
	TookSeconds float64 `json:"took_seconds"`
	Error       string  `json:"error,omitempty"` // it failed while it was stopping, or its Stop did not answer
	workers.Receipt
}

func (w WorkerReceipt) err() error {
	if w.Outcome == Drained && w.Error == "" {
		return nil
	}
	return ErrNotClean
}

// QueueLoss counts the tasks that a volatile queue still held when it was closed.
type QueueLoss struct {
	Queue string `json:"queue"`
	Tasks int64  `json:"tasks"`
}

// Receipt tells what a stop did. Clean means that nothing was forced, lost or abandoned and everything closed without an error.
type Receipt struct {
	Clean       bool            `json:"clean"`
	Reason      string          `json:"reason,omitempty"`
	TookSeconds float64         `json:"took_seconds"`
	Workers     []WorkerReceipt `json:"workers"`
	Lost        []QueueLoss     `json:"lost,omitempty"`
	Faults      []string        `json:"faults,omitempty"` // of resources, queues and channels that did not close well
}

func (r *Receipt) settle(began time.Time) {
	r.TookSeconds = time.Since(began).Seconds()
	r.Clean = len(r.Lost) == 0 && len(r.Faults) == 0
	for _, w := range r.Workers {
		r.Clean = r.Clean && w.err() == nil
	}
}

func (r *Receipt) fault(err error) {
	if err != nil {
		r.Faults = append(r.Faults, err.Error())
	}
}

func (r Receipt) err() error {
	if r.Clean {
		return nil
	}
	return ErrNotClean
}

// LogValue is the receipt as a log record holds it: in sums, with the names of what did not end as it should.
func (r Receipt) LogValue() slog.Value {
	var tasks workers.Receipt
	names := map[Outcome][]string{}
	var failed, lost []any
	for _, w := range r.Workers {
		names[w.Outcome] = append(names[w.Outcome], w.Name)
		tasks.Finished += w.Finished
		tasks.Returned += w.Returned
		tasks.Abandoned += w.Receipt.Abandoned
		if w.Error != "" {
			failed = append(failed, slog.String(w.Name, w.Error))
		}
	}
	for _, l := range r.Lost {
		lost = append(lost, slog.Int64(l.Queue, l.Tasks))
	}
	attrs := []slog.Attr{
		slog.Bool("clean", r.Clean), slog.String("reason", r.Reason), slog.Float64("took_seconds", r.TookSeconds),
		slog.Int("finished", tasks.Finished), slog.Int("returned", tasks.Returned), slog.Int("abandoned", tasks.Abandoned),
		slog.Any("forced_workers", names[Forced]), slog.Any("abandoned_workers", names[Abandoned]), slog.Group("failed_workers", failed...),
		slog.Group("lost", lost...), slog.Any("faults", r.Faults),
	}
	return slog.GroupValue(slices.DeleteFunc(attrs, isEmpty)...)
}

// isEmpty says that an attribute of the receipt has nothing to tell.
func isEmpty(a slog.Attr) bool {
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		return v.String() == ""
	case slog.KindGroup:
		return len(v.Group()) == 0
	case slog.KindAny:
		list, ok := v.Any().([]string)
		return ok && len(list) == 0
	default:
		return false
	}
}

// String is the receipt as a small table for the terminal.
func (r Receipt) String() string {
	var b strings.Builder
	verdict := "clean"
	if !r.Clean {
		verdict = "NOT clean"
	}
	fmt.Fprintf(&b, "stopped in %.1fs, %s", r.TookSeconds, verdict)
	if r.Reason != "" {
		fmt.Fprintf(&b, " (%s)", r.Reason)
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "  worker\toutcome\tfinished\treturned\tabandoned\ttook")
	for _, w := range r.Workers {
		fmt.Fprintf(t, "  %s\t%s\t%d\t%d\t%d\t%.1fs\n", w.Name, w.Outcome, w.Finished, w.Returned, w.Receipt.Abandoned, w.TookSeconds)
	}
	_ = t.Flush() // into a strings.Builder, which cannot fail
	for _, w := range r.Workers {
		if w.Error != "" {
			fmt.Fprintf(&b, "  failed: %s: %s\n", w.Name, w.Error)
		}
	}
	for _, l := range r.Lost {
		tasks := "tasks"
		if l.Tasks == 1 {
			tasks = "task"
		}
		fmt.Fprintf(&b, "  lost: %d %s of the volatile queue %q\n", l.Tasks, tasks, l.Queue)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "  fault: %s\n", f)
	}
	return b.String()
}

package queuetest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// brokenMore are faults that many tests of a family see at once.
func brokenMore() []broken {
	all := brokenEverywhere()
	for _, family := range []string{"delay", "states", "outcome"} {
		all = append(all, broken{name: "does not wait, in " + family, family: family, breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.After = 0 })
		}})
	}
	for _, family := range []string{"delay", "states", "outcome", "groups", "strict order"} {
		all = append(all, broken{name: "waits for ever, in " + family, family: family, breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.After = time.Hour })
		}})
	}
	for _, family := range []string{"requeue", "groups", "limits", "run now"} {
		all = append(all, broken{name: "wakes nobody, in " + family, family: family, breakIt: sleepy})
	}
	for _, family := range []string{"unique", "cancel", "requeue", "purge"} {
		all = append(all, broken{name: "frees no key, in " + family, family: family, breakIt: greedy})
	}
	for _, family := range []string{"durable", "cluster", "requeue", "typed"} {
		all = append(all, broken{name: "ignores unique keys, in " + family, family: family, breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Info.Unique = "" })
		}})
	}
	for _, family := range []string{"groups", "durable groups", "groups undoing"} {
		all = append(all, broken{name: "runs many of a group, in " + family, family: family, misread: func(o *queue.Opening) { o.Settings.Limits().GroupRunning = 5 }})
	}
	for _, family := range []string{"fence", "durable", "cluster"} {
		all = append(all, broken{name: "keeps renewals to itself, in " + family, family: family, breakIt: func(e queue.Engine) queue.Engine {
			return renewing(e, func(r *queue.Renewed) { *r = queue.Renewed{} })
		}})
	}
	for _, family := range []string{"checkpoints", "durable undoing"} {
		all = append(all, broken{name: "keeps values in one heap, in " + family, family: family, breakIt: heaped})
	}
	for family, bend := range map[string]func(*queue.Stats){
		"outcome": func(s *queue.Stats) { s.Completed = 0 },
		"stats":   func(s *queue.Stats) { s.Ready, s.Scheduled = s.Scheduled, s.Ready+1 },
		"states":  func(s *queue.Stats) { s.Running, s.Dead, s.Cancelled = 0, s.Cancelled, s.Dead },
		"groups":  func(s *queue.Stats) { s.OldestReady = 0 },
		"cancel":  func(s *queue.Stats) { s.Cancelled, s.Dead = s.Dead, s.Cancelled },
	} {
		all = append(all, broken{name: "cannot count, in " + family, family: family, breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, stats: func(s queue.Stats) queue.Stats { bend(&s); return s }}
		}})
	}
	return all
}

func brokenEverywhere() []broken {
	return []broken{
		{name: "wants something to publish", family: "publish", test: "none", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
				if len(rs) == 0 {
					return nil, queue.ErrInvalid
				}
				return e.Publish(ctx, rs, wait)
			}}
		}},
		{name: "cuts payloads", family: "publish", test: "large payload", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) {
				text := r.Payload.Value.(string)
				r.Payload.Value = text[:min(len(text), 100<<10)]
			})
		}},
		{name: "wants something to complete", family: "outcome", test: "none", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, complete: func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
				if len(cs) == 0 {
					return []queue.Token{{}}, nil
				}
				return e.Complete(ctx, cs)
			}}
		}},
		{name: "hands out what is leased", family: "receive", test: "a claimed task", breakIt: generous},
		{name: "returns without a task or an error", family: "receive", test: "ends with its context", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				ls, err := e.Receive(ctx, max, lease)
				if ctx.Err() != nil {
					err = nil
				}
				return ls, err
			}}
		}},
		{name: "puts the past off", family: "delay", test: "an instant in the past", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) {
				if !r.Info.RunAt.IsZero() {
					r.Delay = time.Hour
				}
			})
		}},
		{name: "invents a dead letter", family: "dead", test: "none", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, list: func(p *queue.Page) { p.Tasks = append(p.Tasks, queue.Task{State: queue.StateDead}) }}
		}},
		{name: "keeps what is done", family: "keep", test: "no done task", misread: func(o *queue.Opening) { o.Settings.Limits().KeepDone = time.Hour }},
		{name: "buries what yields", family: "cancel", test: "a worker may say so", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.Outcome = min(c.Outcome, task.Dead) })
		}},
		{name: "requeues nothing", family: "states", test: "dead, requeue", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, requeue: func(context.Context, queue.Selection) (int, error) { return 1, nil }}
		}},
		{name: "counts what was handed out, not what is", family: "limits", test: "each way back", breakIt: stingy},
		{name: "sees effects everywhere", family: "undoing", test: "not without an effect", breakIt: func(e queue.Engine) queue.Engine {
			return handing(e, func(l *queue.Lease) { _ = e.Checkpoints(l.Token).Save(context.Background(), task.UndoPrefix+"x", 1) })
		}},
		{name: "undoes what is done", family: "undoing", test: "not what is done", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) {
				if c.Outcome <= task.Dropped {
					c.Outcome = task.Dead
				}
			})
		}},
		{name: "ignores priority in a group", family: "groups", test: "by priority", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Info.Priority = 0 })
		}},
		{name: "mends errors", family: "typed", test: "errors of any text", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.Cause = strings.ReplaceAll(c.Cause, "\r\n", "\n") })
		}},
	}
}

// sleepy finds what is there when someone comes, and wakes nobody.
func sleepy(e queue.Engine) queue.Engine {
	return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
		soon, cancel := context.WithTimeout(ctx, time.Nanosecond)
		defer cancel()
		if ls, err := e.Receive(soon, max, lease); err == nil || soon.Err() == nil {
			return ls, err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
}

// greedy remembers every unique key for ever.
func greedy(e queue.Engine) queue.Engine {
	holders, mu := map[string]string{}, sync.Mutex{}
	return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
		mu.Lock()
		if len(rs) == 1 && rs[0].Info.Unique != "" {
			if holder, ok := holders[rs[0].Info.Unique]; ok {
				mu.Unlock()
				return []queue.Receipt{{ID: holder, Existing: true}}, nil
			}
			holders[rs[0].Info.Unique] = rs[0].Info.ID
		}
		mu.Unlock()
		return e.Publish(ctx, rs, wait)
	}}
}

// generous hands out the last tasks once more when there are no others.
func generous(e queue.Engine) queue.Engine {
	var mu sync.Mutex
	var last []queue.Lease
	return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
		if s, err := e.Stats(ctx); err == nil && s.Ready == 0 && s.Running > 0 {
			mu.Lock()
			again := last[:min(max, len(last))]
			last = nil
			mu.Unlock()
			if len(again) > 0 {
				return again, nil
			}
		}
		ls, err := e.Receive(ctx, max, lease)
		mu.Lock()
		defer mu.Unlock()
		last = ls
		return ls, err
	}}
}

// stingy hands out one task, and then nothing any more.
func stingy(e queue.Engine) queue.Engine {
	var mu sync.Mutex
	claimed := false
	return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
		mu.Lock()
		over := claimed
		claimed = true
		mu.Unlock()
		if over {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return e.Receive(ctx, max, lease)
	}}
}

// heap keeps the values of all tasks together, and whoever has a token may have them.
type heap struct {
	mu     sync.Mutex
	values map[string]any
}

func heaped(e queue.Engine) queue.Engine {
	h := &heap{values: map[string]any{}}
	return &bent{Engine: e, keep: func(queue.Token) task.Checkpoints { return h }}
}

func (h *heap) Load(_ context.Context, path string, into any) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.values[path]
	if data, err := json.Marshal(v); ok && err == nil {
		_ = json.Unmarshal(data, into)
	}
	return ok, nil
}

func (h *heap) Save(_ context.Context, path string, v any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.values[path] = v
	return nil
}

func (h *heap) Forget(context.Context, string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.values)
	return nil
}

func (h *heap) List(context.Context, string) ([]string, error) { return nil, nil }

package queuetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func brokenLeases() []broken {
	return []broken{
		{name: "does not fence", family: "fence", test: "a late answer", breakIt: unfenced},
		{name: "does not grow its tokens", family: "fence", test: "the token grows", breakIt: constantTokens},
		{name: "does not say what is lost", family: "fence", test: "done is final", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, complete: func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
				_, err := e.Complete(ctx, cs)
				return nil, err
			}}
		}},
		{name: "loses a whole batch for one", family: "fence", test: "a batch loses only", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, complete: func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
				lost, err := e.Complete(ctx, cs)
				if len(lost) > 0 {
					lost = nil
					for _, c := range cs {
						lost = append(lost, c.Token)
					}
				}
				return lost, err
			}}
		}},
		{name: "lets no lease expire", family: "lease", test: "expires and frees", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				return e.Receive(ctx, max, 1000*lease)
			}}
		}},
		{name: "ignores renewal", family: "lease", test: "renewal keeps", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, renew: func(context.Context, []queue.Token, time.Duration) (queue.Renewed, error) {
				return queue.Renewed{}, nil
			}}
		}},
		{name: "keeps checkpoints without a fence", family: "checkpoints", test: "fenced", breakIt: func(e queue.Engine) queue.Engine {
			newest, mu := map[string]queue.Token{}, sync.Mutex{}
			b := handing(e, func(l *queue.Lease) {
				mu.Lock()
				defer mu.Unlock()
				newest[l.ID] = l.Token
			})
			b.keep = func(t queue.Token) task.Checkpoints {
				mu.Lock()
				defer mu.Unlock()
				return e.Checkpoints(newest[t.ID])
			}
			return b
		}},
		{name: "forgets checkpoints on a retry", family: "checkpoints", test: "kept over attempts", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { _ = e.Checkpoints(c.Token).Forget(context.Background(), "") })
		}},
	}
}

// unfenced takes every answer as if it came from the newest lease of the task.
func unfenced(e queue.Engine) queue.Engine {
	newest, mu := map[string]queue.Token{}, sync.Mutex{}
	b := handing(e, func(l *queue.Lease) {
		mu.Lock()
		defer mu.Unlock()
		newest[l.ID] = l.Token
	})
	b.complete = func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
		mu.Lock()
		defer mu.Unlock()
		cs = slices.Clone(cs)
		for i := range cs {
			cs[i].Token = newest[cs[i].ID]
		}
		return e.Complete(ctx, cs)
	}
	return b
}

// hasty looks first and cancels then, and by that time the task may be another's.
func hasty(e queue.Engine) queue.Engine {
	return &bent{Engine: e, cancel: func(ctx context.Context, id, cause string) error {
		t, err := e.Task(ctx, id)
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // nothing else is left to do in the bubble, then
		if err := e.Cancel(ctx, id, cause); t.State == queue.StateReady && err != nil {
			return nil
		}
		return err
	}}
}

// constantTokens numbers every claim of a task with its attempt, as engines do that have no token.
func constantTokens(e queue.Engine) queue.Engine {
	type claim struct {
		id      string
		attempt int64
	}
	inner, mu := map[claim]queue.Token{}, sync.Mutex{}
	b := handing(e, func(l *queue.Lease) {
		mu.Lock()
		defer mu.Unlock()
		inner[claim{l.ID, int64(l.Info.Attempt)}] = l.Token
		l.Lease = int64(l.Info.Attempt)
	})
	real := func(t queue.Token) queue.Token {
		mu.Lock()
		defer mu.Unlock()
		return inner[claim{t.ID, t.Lease}]
	}
	b.complete = func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
		cs = slices.Clone(cs)
		for i := range cs {
			cs[i].Token = real(cs[i].Token)
		}
		return e.Complete(ctx, cs)
	}
	b.renew = func(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
		ts = slices.Clone(ts)
		for i := range ts {
			ts[i] = real(ts[i])
		}
		return e.Renew(ctx, ts, lease)
	}
	return b
}

func brokenAnswers() []broken {
	return []broken{
		{name: "forgets what was cancelled", family: "keep", test: "ended tasks", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, stats: func(s queue.Stats) queue.Stats { s.Cancelled = 0; return s }}
		}},
		{name: "takes late answers when it is busy", family: "histories", test: "every call", breakIt: unfenced},
		{name: "cancels between two looks", family: "histories", test: "every call", breakIt: hasty},
		{name: "forgets failed attempts", family: "attempts", test: "are counted", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.Counted = false })
		}},
		{name: "counts a return", family: "attempts", test: "snooze and return", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.Counted = true })
		}},
		{name: "forgets errors", family: "attempts", test: "every error", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.Cause = "" })
		}},
		{name: "keeps only the last error", family: "attempts", test: "every error", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, view: func(t *queue.Task) { t.Failures = t.Failures[max(0, len(t.Failures)-1):] }}
		}},
		{name: "lists the oldest dead letter first", family: "dead", test: "all are listed", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, list: func(p *queue.Page) { slices.Reverse(p.Tasks) }}
		}},
		{name: "forgets the dead", family: "dead", test: "everything is kept", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, list: func(p *queue.Page) { p.Tasks = nil }}
		}},
		{name: "buries what was dropped", family: "outcome", test: "dropped", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) {
				if c.Outcome == task.Dropped {
					c.Outcome = task.Dead
				}
			})
		}},
		{name: "takes any outcome", family: "outcome", test: "an outcome that is none", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.Outcome = min(c.Outcome, task.Cancelled) })
		}},
		{name: "puts returned tasks at the end", family: "order", test: "a returned task", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) {
				if c.Outcome == task.Retry && !c.Counted {
					c.Outcome = task.Snoozed
				}
			})
		}},
		{name: "wants room for a retry", family: "bounds", test: "going back", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, complete: func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
				s, err := e.Stats(ctx)
				if err == nil && s.Unfinished() == s.Capacity && cs[0].Outcome == task.Retry {
					return nil, queue.ErrFull
				}
				return e.Complete(ctx, cs)
			}}
		}},
		{name: "does not wait before a retry", family: "states", test: "running, retry", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { c.After = 0 })
		}},
	}
}

func brokenRecords() []broken {
	return []broken{
		{name: "counts what existed as published", family: "stats", test: "what went through", breakIt: func(e queue.Engine) queue.Engine {
			asked, mu := int64(0), sync.Mutex{}
			return &bent{Engine: e,
				publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
					receipts, err := e.Publish(ctx, rs, wait)
					mu.Lock()
					defer mu.Unlock()
					asked += int64(len(receipts))
					return receipts, err
				},
				stats: func(s queue.Stats) queue.Stats {
					mu.Lock()
					defer mu.Unlock()
					s.Published = asked
					return s
				}}
		}},
		{name: "counts retrying tasks as scheduled", family: "states", test: "running, retry", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, stats: func(s queue.Stats) queue.Stats {
				s.Scheduled, s.Retrying = s.Scheduled+s.Retrying, 0
				return s
			}}
		}},
		{name: "gives no age", family: "stats", test: "the oldest", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, stats: func(s queue.Stats) queue.Stats { s.OldestReady = 0; return s }}
		}},
	}
}

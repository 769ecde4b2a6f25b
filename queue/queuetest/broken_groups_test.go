package queuetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func brokenHolds() []broken {
	return []broken{
		{name: "ignores a pause", family: "pause", test: "nothing is handed out", breakIt: func(e queue.Engine) queue.Engine {
			var mu sync.Mutex
			paused := false
			set := func(to bool) func(context.Context) error {
				return func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					paused = to
					return nil
				}
			}
			return &bent{Engine: e, hold: set(true), resume: set(false), stats: func(s queue.Stats) queue.Stats {
				mu.Lock()
				defer mu.Unlock()
				s.Paused = paused
				return s
			}}
		}},
		{name: "does not say that it is paused", family: "pause", test: "twice", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, stats: func(s queue.Stats) queue.Stats { s.Paused = false; return s }}
		}},
		{name: "takes nothing while it is paused", family: "pause", test: "nothing is handed out", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
				if s, err := e.Stats(ctx); err == nil && s.Paused {
					return nil, queue.ErrFull
				}
				return e.Publish(ctx, rs, wait)
			}}
		}},
		{name: "wakes nobody after a pause", family: "pause", test: "resume wakes", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				if s, err := e.Stats(ctx); err == nil && s.Paused {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return e.Receive(ctx, max, lease)
			}}
		}},
		{name: "ends leases when it is paused", family: "pause", test: "leases that are out", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, renew: func(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
				if s, err := e.Stats(ctx); err == nil && s.Paused {
					return queue.Renewed{Lost: ts}, nil
				}
				return e.Renew(ctx, ts, lease)
			}}
		}},
		{name: "runs more than it may", family: "limits", test: "so many run", misread: func(o *queue.Opening) { o.Settings.Limits().MaxRunning = 0 }},
		{name: "runs more than it may by one", family: "limits", test: "so many run", misread: func(o *queue.Opening) { o.Settings.Limits().MaxRunning++ }},
		{name: "knows no rate", family: "limits", test: "a burst, then", misread: func(o *queue.Opening) { o.Settings.Limits().Rate = queue.Rate{} }},
		{name: "saves tokens beyond the burst", family: "limits", test: "at once is no more", misread: func(o *queue.Opening) {
			if c := o.Settings.Limits(); c.Rate.Burst > 0 {
				c.Rate.Burst += 2
			}
		}},
	}
}

func brokenUndoing() []broken {
	return []broken{
		{name: "does not let effects be undone", family: "undoing", test: "running, give-up", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) { _ = e.Checkpoints(c.Token).Forget(context.Background(), task.UndoPrefix) })
		}},
		{name: "does not say that it is to be undone", family: "undoing", test: "handed out to undo, then dead", breakIt: func(e queue.Engine) queue.Engine {
			return handing(e, func(l *queue.Lease) { l.Info.Undo = false })
		}},
		{name: "does not say why", family: "undoing", test: "handed out to undo, then dead", breakIt: func(e queue.Engine) queue.Engine {
			return handing(e, func(l *queue.Lease) { l.Info.Cause = "" })
		}},
		{name: "goes on counting attempts", family: "undoing", test: "after the last attempt", breakIt: func(e queue.Engine) queue.Engine {
			return handing(e, func(l *queue.Lease) {
				t, _ := e.Task(context.Background(), l.ID)
				l.Info.Attempt = len(t.Failures) + 1
			})
		}},
		{name: "buries what is undone", family: "undoing", test: "handed out to undo, then cancelled", breakIt: undertaker},
		{name: "undoes without an end", family: "undoing", test: "given up after as many", breakIt: func(e queue.Engine) queue.Engine {
			return answering(e, func(c *queue.Completion) {
				if t, _ := e.Task(context.Background(), c.ID); t.State == queue.StateUndoing {
					c.Counted = false
				}
			})
		}},
		{name: "mixes attempts to undo with the others", family: "undoing", test: "retried until", breakIt: viewing(func(t *queue.Task) {
			for i := range t.Failures {
				t.Failures[i].Undo = false
			}
		})},
		{name: "lists without order", family: "checkpoints", test: "listed", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, keep: func(t queue.Token) task.Checkpoints { return backwards{e.Checkpoints(t)} }}
		}},
	}
}

// backwards lists the last path first.
type backwards struct{ task.Checkpoints }

func (b backwards) List(ctx context.Context, prefix string) ([]string, error) {
	paths, err := b.Checkpoints.List(ctx, prefix)
	for i, j := 0, len(paths)-1; i < j; i, j = i+1, j-1 {
		paths[i], paths[j] = paths[j], paths[i]
	}
	return paths, err
}

// undertaker makes every task that was undone a dead letter.
func undertaker(e queue.Engine) queue.Engine {
	undo, mu := map[queue.Token]bool{}, sync.Mutex{}
	b := handing(e, func(l *queue.Lease) {
		mu.Lock()
		defer mu.Unlock()
		undo[l.Token] = l.Info.Undo
	})
	b.complete = func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
		mu.Lock()
		defer mu.Unlock()
		for i := range cs {
			if undo[cs[i].Token] && cs[i].Outcome <= task.Dropped {
				cs[i].Outcome = task.Dead
			}
		}
		return e.Complete(ctx, cs)
	}
	return b
}

// regrouped changes the group keys that the engine sees, and not those that the receiver sees.
func regrouped(key func(string) string) func(queue.Engine) queue.Engine {
	return func(e queue.Engine) queue.Engine {
		real, mu := map[string]string{}, sync.Mutex{}
		b := editing(e, func(r *queue.Record) {
			mu.Lock()
			defer mu.Unlock()
			real[r.Info.ID] = r.Info.Group
			r.Info.Group = key(r.Info.Group)
		}).(*bent)
		b.receive = func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
			ls, err := e.Receive(ctx, max, lease)
			mu.Lock()
			defer mu.Unlock()
			for i := range ls {
				ls[i].Info.Group = real[ls[i].ID]
			}
			return ls, err
		}
		return b
	}
}

func unordered(o *queue.Opening) { o.Order = queue.Unordered }

func brokenGroups() []broken {
	none := func(string) string { return "" }
	return []broken{
		{name: "knows no groups", family: "groups", test: "one at a time", breakIt: regrouped(none)},
		{name: "lets a whole batch through", family: "groups", test: "also in one batch", breakIt: regrouped(none)},
		{name: "takes all for one group", family: "groups", test: "a group that waits", breakIt: regrouped(func(string) string { return "all" })},
		{name: "does not tell the case of keys", family: "groups", test: "awkward keys", breakIt: regrouped(strings.ToLower)},
		{name: "cuts keys", family: "groups", test: "awkward keys", breakIt: regrouped(strings.TrimSpace)},
		{name: "runs one of a group, whatever is set", family: "groups", test: "as many as", misread: func(o *queue.Opening) { o.Settings.Limits().GroupRunning = 1 }},
		{name: "holds a group while one waits", family: "groups", test: "each way back", misread: func(o *queue.Opening) { o.Order = queue.Strict }},
		{name: "ignores the order", family: "strict order", test: "the next one waits", misread: unordered},
		{name: "lets others pass a returned one", family: "strict order", test: "a returned one", misread: unordered},
		{name: "lets a higher priority pass", family: "strict order", test: "higher priority", misread: unordered},
		{name: "lets the next one go before the last is undone", family: "groups undoing", test: "with strict order it holds", misread: unordered},
	}
}

// opened does something to the store whenever it is opened.
func opened(do func(context.Context, queue.Engine)) func(queue.Engine) queue.Engine {
	return func(e queue.Engine) queue.Engine {
		do(context.Background(), e)
		return e
	}
}

func purging(states ...queue.State) func(queue.Engine) queue.Engine {
	return opened(func(ctx context.Context, e queue.Engine) { _, _ = e.Purge(ctx, queue.InState(states...)) })
}

func brokenStores() []broken {
	return []broken{
		{name: "loses what is ready", family: "durable", test: "every state", breakIt: purging(queue.StateReady)},
		{name: "loses dead letters", family: "durable", test: "dead letters", breakIt: purging(queue.StateDead)},
		{name: "forgets a pause", family: "durable", test: "a pause", breakIt: opened(func(ctx context.Context, e queue.Engine) { _ = e.Resume(ctx) })},
		{name: "forgets delays", family: "durable", test: "delays go on", breakIt: opened(func(ctx context.Context, e queue.Engine) {
			_, _ = e.RunNow(ctx, queue.InState(queue.StateScheduled))
		})},
		{name: "loses what waits for its undoing", family: "durable undoing", test: "what is to be undone", breakIt: opened(func(ctx context.Context, e queue.Engine) {
			if s, err := e.Stats(ctx); err != nil || s.Undoing == 0 {
				return
			}
			ls, _ := e.Receive(ctx, 1, ample)
			for _, l := range ls {
				_, _ = e.Complete(ctx, []queue.Completion{done(l.Token)})
			}
		})},
		{name: "forgets the order", family: "durable groups", test: "strict order", misread: unordered},
		{name: "forgets leases", family: "durable", test: "a lease goes on", breakIt: amnesiac},
	}
}

// amnesiac takes no answer for leases that were out before it was opened.
func amnesiac(e queue.Engine) queue.Engine {
	known, mu := map[queue.Token]bool{}, sync.Mutex{}
	b := handing(e, func(l *queue.Lease) {
		mu.Lock()
		defer mu.Unlock()
		known[l.Token] = true
	})
	b.renew = func(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
		r, err := e.Renew(ctx, ts, lease)
		mu.Lock()
		defer mu.Unlock()
		for _, t := range ts {
			if !known[t] {
				r.Lost = append(r.Lost, t)
			}
		}
		return r, err
	}
	return b
}

func brokenClusters() []broken {
	return []broken{
		{name: "pauses here alone", family: "cluster", test: "a pause", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, hold: func(context.Context) error { return nil }, resume: func(context.Context) error { return nil }}
		}},
		{name: "does not hear of cancels elsewhere", family: "cluster", test: "a cancel", breakIt: func(e queue.Engine) queue.Engine {
			own, mu := map[string]bool{}, sync.Mutex{}
			b := renewing(e, func(r *queue.Renewed) {
				mu.Lock()
				defer mu.Unlock()
				for _, t := range r.Cancelled {
					if !own[t.ID] {
						r.Cancelled = nil
					}
				}
			})
			b.cancel = func(ctx context.Context, id, cause string) error {
				mu.Lock()
				defer mu.Unlock()
				own[id] = true
				return e.Cancel(ctx, id, cause)
			}
			return b
		}},
		{name: "counts what runs here alone", family: "cluster", test: "limits", misread: func(o *queue.Opening) { o.Settings.Limits().MaxRunning *= 2 }},
		{name: "counts tokens here alone", family: "cluster", test: "a rate", misread: func(o *queue.Opening) {
			c := o.Settings.Limits()
			c.Rate.PerSecond, c.Rate.Burst = 2*c.Rate.PerSecond, 2*c.Rate.Burst
		}},
		{name: "does not know of tasks elsewhere", family: "cluster", test: "whoever waits", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				if s, err := e.Stats(ctx); err != nil || s.Ready > 0 {
					return e.Receive(ctx, max, lease)
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}}
		}},
	}
}

package queuetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/plba/plba/queue"
)

// viewing bends what people see of a task.
func viewing(bend func(*queue.Task)) func(queue.Engine) queue.Engine {
	return func(e queue.Engine) queue.Engine { return &bent{Engine: e, view: bend} }
}

func brokenLists() []broken {
	return []broken{
		{name: "lists in the order of publishing", family: "tasks", test: "in each state", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, list: func(p *queue.Page) { slices.Reverse(p.Tasks) }}
		}},
		{name: "begins each page anew", family: "tasks", test: "page by page", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, page: func(ctx context.Context, q queue.Query) (queue.Page, error) {
				q.After = ""
				return e.Tasks(ctx, q)
			}}
		}},
		{name: "says that every page goes on", family: "tasks", test: "page by page", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, list: func(p *queue.Page) {
				if n := len(p.Tasks); n > 0 {
					p.Next = p.Tasks[n-1].Info.ID
				}
			}}
		}},
		{name: "lists all states", family: "tasks", test: "in each state", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, page: func(ctx context.Context, q queue.Query) (queue.Page, error) {
				q.States = nil
				return e.Tasks(ctx, q)
			}}
		}},
		{name: "lists nothing without a limit", family: "tasks", test: "absurd limits", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, page: func(ctx context.Context, q queue.Query) (queue.Page, error) {
				if q.Limit < 1 {
					return queue.Page{}, nil
				}
				return e.Tasks(ctx, q)
			}}
		}},
		{name: "shows payloads in pages", family: "tasks", test: "in each state", breakIt: viewing(func(t *queue.Task) { t.Payload.Value = "x" })},
		{name: "shows no payload", family: "tasks", test: "everything about one", breakIt: viewing(func(t *queue.Task) { t.Payload.Value = nil })},
		{name: "shows no lease", family: "tasks", test: "in each state", breakIt: viewing(func(t *queue.Task) { t.LeasedUntil = t.EndedAt })},
		{name: "numbers attempts from 0", family: "tasks", test: "everything about one", breakIt: viewing(func(t *queue.Task) { t.Info.Attempt-- })},
		{name: "finds what is not there", family: "cancel", test: "what never was", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, cancel: func(ctx context.Context, id, cause string) error {
				if err := e.Cancel(ctx, id, cause); !errors.Is(err, queue.ErrNotFound) {
					return err
				}
				return nil
			}}
		}},
		{name: "keeps done tasks for ever", family: "keep", test: "done tasks", misread: func(o *queue.Opening) {
			if c := o.Settings.Limits(); c.KeepDone > 0 {
				c.KeepDone *= 1000
			}
		}},
		{name: "keeps every dead letter", family: "keep", test: "so many ended", misread: func(o *queue.Opening) { o.Settings.Limits().DeadLetters = 0 }},
		{name: "keeps dead letters for ever", family: "keep", test: "ended tasks", misread: func(o *queue.Opening) { o.Settings.Limits().KeepDead = 0 }},
		{name: "counts no cancelled tasks", family: "keep", test: "ended tasks", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, stats: func(s queue.Stats) queue.Stats { s.Cancelled = 0; return s }}
		}},
	}
}

func brokenCancels() []broken {
	return []broken{
		{name: "forgets why it cancelled", family: "cancel", test: "ready", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, cancel: func(ctx context.Context, id, _ string) error { return e.Cancel(ctx, id, "") }}
		}},
		{name: "does not cancel what runs", family: "cancel", test: "a running one is told", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, cancel: func(ctx context.Context, id, cause string) error {
				if t, err := e.Task(ctx, id); err == nil && t.State == queue.StateRunning {
					return nil
				}
				return e.Cancel(ctx, id, cause)
			}}
		}},
		{name: "cancels by force", family: "cancel", test: "a running one is told", breakIt: byForce},
		{name: "tells only once", family: "cancel", test: "a running one is told", breakIt: tellingOnce},
		{name: "loses what is cancelled", family: "cancel", test: "a running one is told", breakIt: func(e queue.Engine) queue.Engine {
			return renewing(e, func(r *queue.Renewed) { r.Lost, r.Cancelled = append(r.Lost, r.Cancelled...), nil })
		}},
		{name: "lets cancelled tasks come back", family: "cancel", test: "a running one comes back", breakIt: lenient},
		{name: "cancels what has ended", family: "cancel", test: "what has ended", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, cancel: func(ctx context.Context, id, cause string) error {
				var wrong *queue.StateError
				if err := e.Cancel(ctx, id, cause); !errors.As(err, &wrong) {
					return err
				}
				return nil
			}}
		}},
		{name: "revives what is cancelled again", family: "cancel", test: "what has ended", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, cancel: func(ctx context.Context, id, cause string) error {
				err := e.Cancel(ctx, id, cause)
				if err != nil {
					_, _ = e.Requeue(ctx, queue.ByID(id))
				}
				return err
			}}
		}},
	}
}

// renewing bends the answers to renewals.
func renewing(e queue.Engine, bend func(*queue.Renewed)) *bent {
	b := &bent{Engine: e}
	b.renew = func(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
		r, err := e.Renew(ctx, ts, lease)
		bend(&r)
		return r, err
	}
	return b
}

// byForce ends a running task at once, whatever its handler does.
func byForce(e queue.Engine) queue.Engine {
	newest, mu := map[string]queue.Token{}, sync.Mutex{}
	b := handing(e, func(l *queue.Lease) {
		mu.Lock()
		defer mu.Unlock()
		newest[l.ID] = l.Token
	})
	b.cancel = func(ctx context.Context, id, cause string) error {
		err := e.Cancel(ctx, id, cause)
		mu.Lock()
		defer mu.Unlock()
		_, _ = e.Complete(ctx, []queue.Completion{yielded(newest[id], "")})
		return err
	}
	return b
}

func tellingOnce(e queue.Engine) queue.Engine {
	told, mu := map[queue.Token]bool{}, sync.Mutex{}
	return renewing(e, func(r *queue.Renewed) {
		mu.Lock()
		defer mu.Unlock()
		r.Cancelled = slices.DeleteFunc(r.Cancelled, func(t queue.Token) bool { return told[t] })
		for _, t := range r.Cancelled {
			told[t] = true
		}
	})
}

// lenient does not look at the mark when a lease ends.
func lenient(e queue.Engine) queue.Engine {
	marked, mu := map[string]bool{}, sync.Mutex{}
	return &bent{Engine: e, cancel: func(ctx context.Context, id, cause string) error {
		t, err := e.Task(ctx, id)
		if err == nil && t.State == queue.StateRunning {
			mu.Lock()
			defer mu.Unlock()
			marked[id] = true
			return nil
		}
		return e.Cancel(ctx, id, cause)
	}}
}

func brokenRevivals() []broken {
	return []broken{
		{name: "loses the kind", family: "typed", test: "older kinds", breakIt: func(e queue.Engine) queue.Engine {
			return handing(e, func(l *queue.Lease) { l.Info.Kind = "new" })
		}},
		{name: "goes on counting attempts", family: "requeue", test: "a dead one begins anew", breakIt: func(e queue.Engine) queue.Engine {
			return handing(e, func(l *queue.Lease) {
				t, _ := e.Task(context.Background(), l.ID)
				l.Info.Attempt = len(t.Failures) + 1
			})
		}},
		{name: "forgets the history", family: "requeue", test: "history is kept", breakIt: forgetful},
		{name: "remembers everything", family: "requeue", test: "history has a bound", breakIt: viewing(func(t *queue.Task) {
			if len(t.Failures) == queue.MaxFailures {
				t.Failures = append([]queue.Failure{{Attempt: 1}, {Attempt: 2}}, t.Failures...)
			}
		})},
		{name: "counts what it was given", family: "requeue", test: "twice", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, requeue: func(ctx context.Context, sel queue.Selection) (int, error) {
				n, err := e.Requeue(ctx, sel)
				return max(n, len(sel.IDs)), err
			}}
		}},
		{name: "takes no selection for all", family: "requeue", test: "all that are dead", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, requeue: func(ctx context.Context, sel queue.Selection) (int, error) {
				if len(sel.IDs) == 0 && len(sel.States) == 0 {
					sel = queue.InState(queue.StateDead)
				}
				return e.Requeue(ctx, sel)
			}}
		}},
		{name: "looks at IDs alone", family: "requeue", test: "some IDs", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, requeue: func(ctx context.Context, sel queue.Selection) (int, error) {
				if len(sel.IDs) > 0 {
					sel.States = nil
				}
				return e.Requeue(ctx, sel)
			}}
		}},
		{name: "does not say that a key is taken", family: "requeue", test: "a unique key that is taken", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, requeue: func(ctx context.Context, sel queue.Selection) (int, error) {
				n, err := e.Requeue(ctx, sel)
				if errors.Is(err, queue.ErrKeyTaken) {
					err = nil
				}
				return n, err
			}}
		}},
		{name: "runs nothing now", family: "run now", test: "scheduled, snoozed", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, runNow: func(_ context.Context, sel queue.Selection) (int, error) { return 3, nil }}
		}},
		{name: "purges nothing", family: "purge", test: "by state", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, purge: func(_ context.Context, sel queue.Selection) (int, error) { return len(sel.States), nil }}
		}},
		{name: "cancels instead of purging", family: "purge", test: "by ID", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, purge: func(ctx context.Context, sel queue.Selection) (int, error) {
				for _, id := range sel.IDs {
					if t, err := e.Task(ctx, id); err == nil && t.State == queue.StateReady {
						return 1, e.Cancel(ctx, id, "purged")
					}
				}
				return e.Purge(ctx, sel)
			}}
		}},
		{name: "purges what is due and can be undone", family: "undoing", test: "purge leaves", breakIt: careless},
	}
}

// forgetful shows no failure from before a requeue.
func forgetful(e queue.Engine) queue.Engine {
	before, mu := map[string]int{}, sync.Mutex{}
	b := &bent{Engine: e}
	b.requeue = func(ctx context.Context, sel queue.Selection) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range sel.IDs {
			t, _ := e.Task(ctx, id)
			before[id] = len(t.Failures)
		}
		return e.Requeue(ctx, sel)
	}
	b.view = func(t *queue.Task) {
		mu.Lock()
		defer mu.Unlock()
		t.Failures = t.Failures[min(len(t.Failures), before[t.Info.ID]):]
	}
	return b
}

// careless loses the records of effects in a purge.
func careless(e queue.Engine) queue.Engine {
	return &bent{Engine: e, purge: func(ctx context.Context, sel queue.Selection) (int, error) {
		n, err := e.Purge(ctx, sel)
		ls, _ := e.Receive(ctx, 1, ample)
		for _, l := range ls {
			_, _ = e.Complete(ctx, []queue.Completion{done(l.Token)})
			n++
		}
		return n, err
	}}
}

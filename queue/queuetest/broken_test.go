package queuetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plba/plba/queue"
)

// editing bends every record on its way in, and leaves the caller's slice as it is.
func editing(e queue.Engine, edit func(*queue.Record)) queue.Engine {
	return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
		rs = slices.Clone(rs)
		for i := range rs {
			edit(&rs[i])
		}
		return e.Publish(ctx, rs, wait)
	}}
}

// answering bends every completion.
func answering(e queue.Engine, edit func(*queue.Completion)) queue.Engine {
	return &bent{Engine: e, complete: func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
		cs = slices.Clone(cs)
		for i := range cs {
			edit(&cs[i])
		}
		return e.Complete(ctx, cs)
	}}
}

// handing bends every lease on its way out.
func handing(e queue.Engine, edit func(*queue.Lease)) *bent {
	return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
		ls, err := e.Receive(ctx, max, lease)
		for i := range ls {
			edit(&ls[i])
		}
		return ls, err
	}}
}

// broken is an engine with one fault, and the test that must see it; "": any of the family.
type broken struct {
	name         string
	family, test string
	breakIt      func(queue.Engine) queue.Engine // is called at each opening
	misread      func(*queue.Opening)
}

func brokenEngines() []broken {
	return slices.Concat(brokenPublishing(), brokenReceiving(), brokenLeases(), brokenAnswers(), brokenRecords(),
		brokenLists(), brokenCancels(), brokenRevivals(), brokenHolds(), brokenUndoing(), brokenGroups(), brokenStores(), brokenClusters(), brokenMore())
}

func brokenPublishing() []broken {
	return []broken{
		{name: "loses a publish", family: "publish", test: "many at once", breakIt: losing},
		{name: "acknowledges before it publishes", family: "publish", test: "the publisher's slice", breakIt: lagging},
		{name: "publishes for a cancelled context", family: "publish", test: "no context", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
				return e.Publish(context.WithoutCancel(ctx), rs, wait)
			}}
		}},
		{name: "drops metadata", family: "publish", test: "everything arrives", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Info.Metadata = nil })
		}},
		{name: "mends text", family: "publish", test: "awkward text", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) {
				r.Payload.Value = strings.ToValidUTF8(r.Payload.Value.(string), "?")
			})
		}},
		{name: "ignores priority", family: "order", test: "higher priority first", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Info.Priority = 0 })
		}},
		{name: "ignores delays", family: "delay", test: "after a while", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Delay = 0 })
		}},
		{name: "ignores instants", family: "delay", test: "at an instant", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Info.RunAt = time.Time{} })
		}},
		{name: "ignores unique keys", family: "unique", test: "while the task lives", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.Info.Unique = "" })
		}},
		{name: "forgets unique keys with the task", family: "unique", test: "longer, when asked", breakIt: func(e queue.Engine) queue.Engine {
			return editing(e, func(r *queue.Record) { r.UniqueFor = 0 })
		}},
		{name: "ignores its capacity", family: "bounds", test: "full", breakIt: spacious},
		{name: "never waits for room", family: "bounds", test: "waits for room", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, _ bool) ([]queue.Receipt, error) {
				return e.Publish(ctx, rs, false)
			}}
		}},
	}
}

// losing acknowledges every seventh task and throws it away.
func losing(e queue.Engine) queue.Engine {
	var mu sync.Mutex
	n := 0
	return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
		mu.Lock()
		defer mu.Unlock()
		var receipts []queue.Receipt
		for i := range rs {
			if n++; n%7 == 0 {
				receipts = append(receipts, queue.Receipt{ID: rs[i].Info.ID})
				continue
			}
			got, err := e.Publish(ctx, rs[i:i+1], wait)
			if receipts = append(receipts, got...); err != nil {
				return receipts, err
			}
		}
		return receipts, nil
	}}
}

// spacious makes room by throwing away what is ready.
func spacious(e queue.Engine) queue.Engine {
	return &bent{Engine: e, publish: func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
		receipts, err := e.Publish(ctx, rs, false)
		if errors.Is(err, queue.ErrFull) {
			_, _ = e.Purge(ctx, queue.InState(queue.StateReady))
			rest, err := e.Publish(ctx, rs[len(receipts):], wait)
			return append(receipts, rest...), err
		}
		return receipts, err
	}}
}

// lagging acknowledges at once, and publishes when someone receives.
func lagging(e queue.Engine) queue.Engine {
	var mu sync.Mutex
	var waiting [][]queue.Record
	return &bent{Engine: e,
		publish: func(_ context.Context, rs []queue.Record, _ bool) ([]queue.Receipt, error) {
			mu.Lock()
			defer mu.Unlock()
			waiting = append(waiting, rs)
			var receipts []queue.Receipt
			for _, r := range rs {
				receipts = append(receipts, queue.Receipt{ID: r.Info.ID})
			}
			return receipts, nil
		},
		receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
			mu.Lock()
			for _, rs := range waiting {
				_, _ = e.Publish(ctx, rs, true)
			}
			waiting = nil
			mu.Unlock()
			return e.Receive(ctx, max, lease)
		}}
}

func brokenReceiving() []broken {
	return []broken{
		{name: "wakes nobody", family: "receive", test: "waits for a task", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				if s, err := e.Stats(ctx); err != nil || s.Ready > 0 {
					return e.Receive(ctx, max, lease)
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}}
		}},
		{name: "takes along what came too late", family: "receive", test: "whoever leaves", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				ls, err := e.Receive(ctx, max, lease)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return ls, err
			}}
		}},
		{name: "hands out more than asked for", family: "receive", test: "takes up to max", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				return e.Receive(ctx, max+1, lease)
			}}
		}},
		{name: "hands out newest first", family: "order", test: "first come", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, _ int, lease time.Duration) ([]queue.Lease, error) {
				ls, err := e.Receive(ctx, 1000, lease)
				if len(ls) == 0 {
					return ls, err
				}
				for _, l := range ls[:len(ls)-1] {
					_, _ = e.Complete(ctx, []queue.Completion{giveBack(l.Token)})
				}
				return ls[len(ls)-1:], err
			}}
		}},
		{name: "hands out a task twice", family: "concurrency", test: "nothing is lost", breakIt: doubling},
		{name: "does not wake on Close", family: "close", test: "wakes those who receive", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
				ls, err := e.Receive(ctx, max, lease)
				if errors.Is(err, queue.ErrClosed) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return ls, err
			}}
		}},
		{name: "works on after Close", family: "close", test: "afterwards everything is refused", breakIt: func(e queue.Engine) queue.Engine {
			return &bent{Engine: e, end: func(context.Context) error { return nil }}
		}},
		{name: "says that closing twice is wrong", family: "close", test: "twice", breakIt: func(e queue.Engine) queue.Engine {
			var once sync.Once
			return &bent{Engine: e, end: func(ctx context.Context) error {
				err := queue.ErrClosed
				once.Do(func() { err = e.Close(ctx) })
				return err
			}}
		}},
	}
}

// doubling gives what one receiver got to the next one too, now and then.
func doubling(e queue.Engine) queue.Engine {
	var mu sync.Mutex
	var last queue.Lease
	n := 0
	return &bent{Engine: e, receive: func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
		ls, err := e.Receive(ctx, max, lease)
		mu.Lock()
		defer mu.Unlock()
		if n++; len(ls) > 0 && len(ls) < max && n%5 == 0 && last.ID != "" {
			ls = append(ls, last)
		}
		if len(ls) > 0 {
			last = ls[0]
		}
		return ls, err
	}}
}

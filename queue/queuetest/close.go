package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/plba/plba/queue"
)

func closeTests() []test {
	return []test{
		{"wakes those who receive", 0, closeReceivers},
		{"wakes those who publish", 100, closePublishers},
		{"afterwards everything is refused", 1, closeRefuses},
		{"twice", 0, closeTwice},
		{"in the middle of work", 50, closeBusy},
	}
}

func closeReceivers(r *rig) {
	finished := make(chan []error, 1)
	go func() {
		finished <- concurrently(4, func(int) error {
			_, err := r.tryReceive(1, ample)
			return err
		})
	}()
	r.nothing("nothing was published")
	r.close()
	for _, err := range <-finished {
		if !errors.Is(err, queue.ErrClosed) {
			r.Errorf("a receiver who waited got %v, expected ErrClosed", err)
		}
	}
}

func closePublishers(r *rig) {
	r.fill()
	const n = 4
	rs := r.records(n)
	started := make(chan struct{}, n)
	finished := make(chan []error, 1)
	go func() {
		finished <- concurrently(n, func(i int) error {
			ctx, cancel := r.patient()
			defer cancel()
			started <- struct{}{}
			receipts, err := r.engine.Publish(ctx, rs[i:i+1], true)
			if len(receipts) > 0 {
				return fmt.Errorf("%d receipts from a full queue: %w", len(receipts), err)
			}
			return err
		})
	}()
	for range n {
		<-started
	}
	r.pause(quiet)
	r.full("publishers wait")
	r.close()
	for _, err := range <-finished {
		if !errors.Is(err, queue.ErrClosed) {
			r.Errorf("a publisher who waited got %v, expected ErrClosed", err)
		}
	}
}

func closeRefuses(r *rig) {
	l := r.task(r.publish(), ample)
	var kept interface {
		Save(context.Context, string, any) error
	}
	if r.caps.Missing(queue.Checkpointed) == 0 {
		kept = r.engine.Checkpoints(l.Token)
	}
	r.close()
	ctx := r.Context()
	answers := map[string]error{}
	_, answers["Publish"] = r.engine.Publish(ctx, r.records(1), true)
	_, answers["Publish without waiting"] = r.engine.Publish(ctx, r.records(1), false)
	_, answers["Receive"] = r.engine.Receive(ctx, 1, ample)
	_, answers["Renew"] = r.engine.Renew(ctx, []queue.Token{l.Token}, ample)
	_, answers["Complete"] = r.engine.Complete(ctx, []queue.Completion{done(l.Token)})
	_, answers["Stats"] = r.engine.Stats(ctx)
	_, answers["Tasks"] = r.engine.Tasks(ctx, queue.Query{})
	_, answers["Task"] = r.engine.Task(ctx, l.ID)
	answers["Cancel"] = r.engine.Cancel(ctx, l.ID, "")
	_, answers["Requeue"] = r.engine.Requeue(ctx, queue.ByID(l.ID))
	_, answers["RunNow"] = r.engine.RunNow(ctx, queue.ByID(l.ID))
	_, answers["Purge"] = r.engine.Purge(ctx, queue.ByID(l.ID))
	answers["Pause"] = r.engine.Pause(ctx)
	answers["Resume"] = r.engine.Resume(ctx)
	if kept != nil {
		answers["Checkpoints.Save"] = kept.Save(ctx, "a", 1)
	}
	for what, err := range answers {
		if !errors.Is(err, queue.ErrClosed) {
			r.Errorf("%s after Close: %v, expected ErrClosed", what, err)
		}
	}
}

func closeTwice(r *rig) {
	r.close()
	r.close()
	r.together(4, func(int) error { return r.engine.Close(r.Context()) })
}

// closeBusy closes while others receive and look; each of them must come to an end.
func closeBusy(r *rig) {
	var closed atomic.Bool
	finished := make(chan error, 1)
	go func() {
		finished <- errors.Join(concurrently(4, func(i int) error {
			for {
				late := closed.Load()
				err := receiveOrLook(r, i)
				switch {
				case errors.Is(err, queue.ErrClosed):
					return nil
				case err != nil:
					return err
				case late:
					return errors.New("an operation succeeded that began after Close had returned")
				}
			}
		})...)
	}()
	r.publishN(50)
	r.close()
	closed.Store(true)
	if err := <-finished; err != nil {
		r.Errorf("at work while the engine was closed: %v", err)
	}
}

func receiveOrLook(r *rig, i int) error {
	ctx, cancel := r.patient()
	defer cancel()
	if i%2 == 0 {
		_, err := r.engine.Receive(ctx, 3, ample)
		return err
	}
	_, err := r.engine.Stats(ctx)
	return err
}

package postgres

import "sync"

// Bounds of a batcher: how many of its batches are on their way at once, and how many tasks one has, unless a single call has more.
const (
	flushers  = 4
	batchSize = 1000
)

// sized is how many tasks an item of a batch stands for.
type sized interface{ size() int }

// batcher lets calls that come at the same time share a round to the database: while batches are on their way, what comes gathers for the next.
// The zero value with a flush function is ready. Nobody waits for others to come: an item that comes alone goes at once.
type batcher[T sized] struct {
	flush func(items []T) // answers each item itself

	mu      sync.Mutex
	waiting []T
	busy    int
	work    sync.WaitGroup
}

// add sends an item on its way.
func (b *batcher[T]) add(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, item)
	if b.busy < flushers {
		b.busy++
		b.work.Go(b.run)
	}
}

// run flushes until nothing waits.
func (b *batcher[T]) run() {
	for {
		items := b.next()
		if len(items) == 0 {
			return
		}
		b.flush(items)
	}
}

// next takes the next batch.
func (b *batcher[T]) next() (items []T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tasks := 0
	for tasks < batchSize && len(items) < len(b.waiting) {
		tasks += b.waiting[len(items)].size()
		items = b.waiting[:len(items)+1]
	}
	if len(items) == 0 {
		b.busy--
		return nil
	}
	if b.waiting = b.waiting[len(items):]; len(b.waiting) == 0 {
		b.waiting = nil
	}
	return items
}

// wait returns when nothing is on its way; nothing may be added meanwhile.
func (b *batcher[T]) wait() { b.work.Wait() }

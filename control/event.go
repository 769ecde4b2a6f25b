package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// EventType says what kind of thing has happened.
type EventType string

// The types of events.
const (
	EventRuntime   EventType = "runtime"   // the runtime moved
	EventWorker    EventType = "worker"    // a worker moved
	EventHealth    EventType = "health"    // a component, or the whole, changed its health
	EventOperation EventType = "operation" // an operation was accepted, or has ended
	EventFailure   EventType = "failure"   // an attempt at a task failed
	EventMissed    EventType = "missed"    // events before this one are not there any more
)

// Event is something that happened. Of the last fields one is set, as Type says; EventMissed has none.
type Event struct {
	ID        string              `json:"id"`
	Type      EventType           `json:"type"`
	At        time.Time           `json:"at"`
	Name      string              `json:"name,omitempty"`    // the worker, component or target that it is about; "" for the whole
	Skipped   uint64              `json:"skipped,omitempty"` // failures before this one that were too many to tell
	Runtime   *runtime.Transition `json:"runtime,omitempty"`
	Worker    *workers.Transition `json:"worker,omitempty"`
	Health    *health.Change      `json:"health,omitempty"`
	Operation *Operation          `json:"operation,omitempty"`
	Failure   *workers.Failure    `json:"failure,omitempty"`
}

// EventFilter chooses events. Its zero value chooses all.
type EventFilter struct {
	Types []EventType // none for all
	Name  string      // "" for all
}

func (f EventFilter) validate() error {
	for _, t := range f.Types {
		if !slices.Contains(eventTypes, t) {
			return invalid("type", "type must be one of "+joined(eventTypes))
		}
	}
	return nil
}

var eventTypes = []EventType{EventRuntime, EventWorker, EventHealth, EventOperation, EventFailure}

func (f EventFilter) wants(e *Event) bool {
	return (len(f.Types) == 0 || slices.Contains(f.Types, e.Type)) && (f.Name == "" || f.Name == e.Name)
}

// told is an event on its way to those who listen: it is put into JSON once, by the first of them.
type told struct {
	Event
	number uint64
	once   sync.Once
	text   []byte
}

func (t *told) json() []byte {
	t.once.Do(func() {
		text, err := json.Marshal(&t.Event)
		if err != nil {
			panic(fmt.Errorf("an event cannot be encoded: %w", err)) // times beyond the year 9999 alone could do that
		}
		t.text = text
	})
	return t.text
}

// The bounds of the events.
const (
	keptEvents      = 2048                   // so many can be resumed from
	wakeAfter       = 10 * time.Millisecond  // listeners are woken so soon after something has happened
	wakeEvery       = 100 * time.Millisecond // and no more often than that
	toldFailures    = 100                    // per second; more are counted
	maxSubscribers  = 256
	maxEventsAtOnce = 256
)

// hub keeps the last events and wakes those who listen. To publish costs the same however many there are, so what happens is never held up by who listens: each
// reads the ring at its own pace, and who is too slow for it is cut off.
type hub struct {
	epoch string

	mu        sync.Mutex
	ring      [keptEvents]*told
	last      uint64        // the number of the newest; 0 before the first
	more      chan struct{} // closed when there are more; nil while nobody waits
	waking    bool          // a timer is about to close more
	woken     time.Time     // when one did last
	listeners int

	failures struct {
		sync.Mutex
		second  time.Time // in which told were told
		told    int
		skipped uint64
	}
}

// publish numbers the event and keeps it.
func (h *hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	e.ID = h.id(h.last)
	h.ring[h.last%keptEvents] = &told{Event: e, number: h.last}
	if h.more != nil && !h.waking {
		h.waking = true
		time.AfterFunc(max(wakeAfter, wakeEvery-time.Since(h.woken)), h.wake)
	}
}

func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waking, h.woken = false, time.Now()
	if h.more != nil {
		close(h.more)
		h.more = nil
	}
}

func (h *hub) id(number uint64) string { return h.epoch + "-" + strconv.FormatUint(number, 10) }

// number reads an ID; false when it is not of this process.
func (h *hub) number(id string) (uint64, bool) {
	text, ours := strings.CutPrefix(id, h.epoch+"-")
	n, err := strconv.ParseUint(text, 10, 64)
	return n, ours && err == nil
}

// after gives the events behind a number, oldest first, and whether some between are gone. With none, more is closed when there are.
func (h *hub) after(number uint64) (events []*told, missed bool, more <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last > keptEvents && number < h.last-keptEvents {
		number, missed = h.last-keptEvents, true
	}
	if number == h.last {
		if h.more == nil {
			h.more = make(chan struct{})
		}
		return nil, missed, h.more
	}
	n := min(h.last-number, maxEventsAtOnce)
	events = make([]*told, n)
	for i := range events {
		events[i] = h.ring[(number+1+uint64(i))%keptEvents]
	}
	return events, missed, nil
}

// newest is the number of the last event.
func (h *hub) newest() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// tellFailure publishes failures as long as they are not too many.
func (h *hub) tellFailure(worker string, f workers.Failure) {
	h.failures.Lock()
	if f.At.Sub(h.failures.second) >= time.Second || f.At.Before(h.failures.second) {
		h.failures.second, h.failures.told = f.At, 0
	}
	if h.failures.told == toldFailures {
		h.failures.skipped++
		h.failures.Unlock()
		return
	}
	h.failures.told++
	skipped := h.failures.skipped
	h.failures.skipped = 0
	h.failures.Unlock()
	h.publish(Event{Type: EventFailure, At: f.At.UTC(), Name: worker, Skipped: skipped, Failure: &f})
}

// observer publishes what happens in the application.
func (h *hub) observer() runtime.Observer {
	return runtime.Observer{
		Runtime: func(t runtime.Transition) { h.publish(Event{Type: EventRuntime, At: t.At.UTC(), Runtime: &t}) },
		Worker: func(w string, t workers.Transition) {
			h.publish(Event{Type: EventWorker, At: t.At.UTC(), Name: w, Worker: &t})
		},
		Health: func(c health.Change) { h.publish(Event{Type: EventHealth, At: c.At.UTC(), Name: c.Name, Health: &c}) },
		Failed: h.tellFailure,
	}
}

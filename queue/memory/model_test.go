package memory_test

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// model is what the engine is meant to do, with lists and loops and nothing else.
type model struct {
	limits queue.Common
	order  queue.Order
	now    time.Duration
	places int
	claims int64
	spent  time.Duration // until then, tokens of the rate are used up
	paused bool
	tasks  []*modelTask // in order of publishing, the forgotten ones too
	ended  []*modelTask // dead and cancelled, in the order of their ends
	done   int64
}

type modelTask struct {
	id         string
	state      queue.State
	leased     bool
	cancelling bool
	endsAs     queue.State
	gone       bool // forgotten
	begun      bool // claimed since it began (anew)
	undoable   bool
	priority   int
	group      string
	due        time.Duration
	place      int
	attempts   int // allowed
	failed     int
	failures   []string
	cause      string
	token      queue.Token
	leaseEnd   time.Duration
	end        time.Duration
	key        string
	keyUntil   time.Duration
}

func (t *modelTask) living() bool { return !t.gone && t.state.Living() }

func (m *model) those(are func(*modelTask) bool) []*modelTask {
	var found []*modelTask
	for _, t := range m.tasks {
		if !t.gone && are(t) {
			found = append(found, t)
		}
	}
	return found
}

func (m *model) count(state queue.State) int64 {
	return int64(len(m.those(func(t *modelTask) bool { return t.state == state })))
}

// waiting says whether the task can be claimed, as far as it is due.
func (m *model) waiting(t *modelTask) bool {
	return (t.state == queue.StateReady || t.state == queue.StateUndoing) && !t.leased && t.due <= m.now
}

// advance lets happen what happens by itself until now.
func (m *model) advance(now time.Duration) {
	m.now = now
	for _, t := range m.those(func(t *modelTask) bool {
		return (t.state == queue.StateScheduled || t.state == queue.StateRetrying) && t.due <= now
	}) {
		t.state = queue.StateReady
	}
	expired := m.those(func(t *modelTask) bool { return t.leased && t.leaseEnd <= now })
	slices.SortFunc(expired, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(a.leaseEnd, b.leaseEnd), cmp.Compare(a.token.Lease, b.token.Lease))
	})
	for _, t := range expired {
		t.leased = false
		m.fail(t, "lease expired")
		m.again(t, func() { m.back(t) })
	}
	for _, t := range m.those(func(t *modelTask) bool { return !t.state.Living() }) {
		keep := m.limits.KeepDead
		if t.state == queue.StateDone {
			keep = m.limits.KeepDone
		}
		if keep > 0 && now-t.end >= keep {
			m.forget(t)
		}
	}
}

func (m *model) forget(t *modelTask) {
	t.gone = true
	m.ended = slices.DeleteFunc(m.ended, func(u *modelTask) bool { return u == t })
}

func (m *model) fail(t *modelTask, cause string) {
	t.failed++
	t.failures = append(t.failures, cause)
}

// again lets the task go on, if nothing is against it.
func (m *model) again(t *modelTask, on func()) {
	switch {
	case t.cancelling:
		m.giveUp(t, queue.StateCancelled)
	case t.attempts > 0 && t.failed >= t.attempts:
		m.giveUp(t, queue.StateDead)
	default:
		on()
	}
}

// back returns the task to its old place.
func (m *model) back(t *modelTask) {
	if t.state != queue.StateUndoing {
		t.state = queue.StateReady
	}
}

func (m *model) wait(t *modelTask, state queue.State, d time.Duration) {
	m.places++
	t.due, t.place = m.now+max(d, 0), m.places
	switch {
	case t.state == queue.StateUndoing:
	case d <= 0:
		t.state = queue.StateReady
	default:
		t.state = state
	}
}

func (m *model) giveUp(t *modelTask, as queue.State) {
	switch {
	case t.state == queue.StateUndoing:
		m.conclude(t, queue.StateDead)
	case t.undoable:
		if t.cause = task.ErrCancelled.Error(); as == queue.StateDead {
			t.cause = t.failures[len(t.failures)-1]
		}
		t.state, t.endsAs, t.cancelling, t.failed = queue.StateUndoing, as, false, 0
		m.wait(t, queue.StateUndoing, 0)
	default:
		m.conclude(t, as)
	}
}

func (m *model) conclude(t *modelTask, as queue.State) {
	t.state, t.cancelling, t.endsAs, t.end, t.begun = as, false, "", m.now, false
	switch {
	case as != queue.StateDone:
		m.ended = append(m.ended, t)
		for most := m.limits.DeadLetters; most > 0 && len(m.ended) > most; {
			m.forget(m.ended[0])
		}
	case m.limits.KeepDone == 0:
		m.forget(t)
	}
}

// keeper is the task whose key counts.
func (m *model) keeper(key string) *modelTask {
	for _, t := range m.tasks {
		if key != "" && t.key == key && (t.living() || t.keyUntil > m.now) {
			return t
		}
	}
	return nil
}

func (m *model) full() bool {
	return len(m.those((*modelTask).living)) >= m.limits.Capacity
}

func (m *model) find(id string) *modelTask {
	for _, t := range m.tasks {
		if t.id == id && !t.gone {
			return t
		}
	}
	return nil
}

func (m *model) publish(rs []queue.Record) (receipts []queue.Receipt, full bool) {
	for _, r := range rs {
		keeper := m.keeper(r.Info.Unique)
		switch {
		case keeper != nil:
			receipts = append(receipts, queue.Receipt{ID: keeper.id, Existing: true})
		case m.find(r.Info.ID) != nil:
			receipts = append(receipts, queue.Receipt{ID: r.Info.ID, Existing: true})
		case m.full():
			return receipts, true
		default:
			t := &modelTask{id: r.Info.ID, priority: r.Info.Priority, attempts: r.Info.MaxAttempts, group: r.Info.Group,
				key: r.Info.Unique, keyUntil: m.now + r.UniqueFor}
			m.wait(t, queue.StateScheduled, r.Delay)
			m.tasks = append(m.tasks, t)
			receipts = append(receipts, queue.Receipt{ID: t.id})
		}
	}
	return receipts, false
}

// next is the task to claim next, nil when there is none.
func (m *model) next() *modelTask {
	if m.paused || m.limits.MaxRunning > 0 && len(m.leased("")) >= m.limits.MaxRunning {
		return nil
	}
	if i := m.limits.Rate.Interval(); i > 0 {
		m.spent = max(m.spent, m.now-i*time.Duration(m.limits.Rate.Tokens()))
		if m.spent+i > m.now {
			return nil
		}
	}
	free := m.those(func(t *modelTask) bool { return m.waiting(t) && m.turn(t) })
	if len(free) == 0 {
		return nil
	}
	return slices.MinFunc(free, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.due, b.due), cmp.Compare(a.place, b.place))
	})
}

// leased are the tasks of a group under a lease, all for "".
func (m *model) leased(group string) []*modelTask {
	return m.those(func(t *modelTask) bool { return t.leased && (group == "" || t.group == group) })
}

// turn says whether the group of the task lets it go.
func (m *model) turn(t *modelTask) bool {
	switch {
	case t.group == "":
		return true
	case m.order == queue.Strict:
		return len(m.those(func(u *modelTask) bool { return u != t && u.group == t.group && u.living() && u.begun })) == 0
	default:
		return len(m.leased(t.group)) < m.limits.GroupLimit(m.order)
	}
}

func (m *model) receive(n int, lease time.Duration) (claimed []*modelTask) {
	for t := m.next(); t != nil && len(claimed) < n; t = m.next() {
		m.claims++
		m.spent += m.limits.Rate.Interval()
		t.leased, t.begun, t.leaseEnd, t.token = true, true, m.now+lease, queue.Token{ID: t.id, Lease: m.claims}
		if t.state == queue.StateReady {
			t.state = queue.StateRunning
		}
		claimed = append(claimed, t)
	}
	return claimed
}

func (m *model) held(tok queue.Token) *modelTask {
	for _, t := range m.leased("") {
		if t.token == tok {
			return t
		}
	}
	return nil
}

// complete says whether the lease was held.
func (m *model) complete(c queue.Completion) bool {
	t := m.held(c.Token)
	if t == nil {
		return false
	}
	t.leased = false
	switch c.Outcome {
	case task.Done, task.Dropped:
		t.undoable = false
		if t.state == queue.StateUndoing {
			m.conclude(t, t.endsAs)
			return true
		}
		m.done++
		m.conclude(t, queue.StateDone)
	case task.Dead:
		m.fail(t, c.Cause)
		m.giveUp(t, queue.StateDead)
	case task.Cancelled:
		m.fail(t, c.Cause)
		m.giveUp(t, queue.StateCancelled)
	case task.Snoozed:
		m.again(t, func() { m.wait(t, queue.StateScheduled, c.After) })
	case task.Retry:
		switch {
		case c.Counted:
			m.fail(t, c.Cause)
			m.again(t, func() { m.wait(t, queue.StateRetrying, c.After) })
		case c.After > 0:
			m.again(t, func() { m.wait(t, queue.StateScheduled, c.After) })
		default:
			m.again(t, func() { m.back(t) })
		}
	}
	return true
}

func (m *model) cancel(id string) error {
	t := m.find(id)
	switch {
	case t == nil:
		return queue.ErrNotFound
	case !t.living() || t.state == queue.StateUndoing:
		return &queue.StateError{ID: id, State: t.state}
	case t.cancelling:
		return nil
	}
	t.failures = append(t.failures, "cancelled")
	if t.leased {
		t.cancelling = true
	} else {
		m.giveUp(t, queue.StateCancelled)
	}
	return nil
}

// selected are the tasks of a selection, by ID.
func (m *model) selected(sel queue.Selection) []*modelTask {
	found := m.those(func(t *modelTask) bool {
		return (len(sel.IDs) == 0 || slices.Contains(sel.IDs, t.id)) && (len(sel.States) == 0 || slices.Contains(sel.States, t.state)) &&
			len(sel.IDs)+len(sel.States) > 0
	})
	slices.SortFunc(found, func(a, b *modelTask) int { return cmp.Compare(a.id, b.id) })
	return found
}

func (m *model) requeue(sel queue.Selection) (n int, err error) {
	var taken error
	for _, t := range m.selected(sel) {
		if t.state != queue.StateDead && t.state != queue.StateCancelled {
			continue
		}
		if k := m.keeper(t.key); k != nil && k != t {
			taken = queue.ErrKeyTaken
			continue
		}
		if m.full() {
			return n, queue.ErrFull
		}
		m.ended = slices.DeleteFunc(m.ended, func(u *modelTask) bool { return u == t })
		t.failed, t.cause = 0, ""
		m.wait(t, queue.StateReady, 0)
		n++
	}
	return n, taken
}

func (m *model) runNow(sel queue.Selection) (n int) {
	for _, t := range m.selected(sel) {
		if t.living() && !t.leased && t.due > m.now {
			m.wait(t, queue.StateReady, 0)
			n++
		}
	}
	return n
}

func (m *model) purge(sel queue.Selection) (n int) {
	for _, t := range m.selected(sel) {
		if t.state != queue.StateRunning && t.state != queue.StateUndoing && !(t.living() && t.undoable) {
			m.forget(t)
			n++
		}
	}
	return n
}

func (m *model) stats() queue.Stats {
	s := queue.Stats{
		Ready: m.count(queue.StateReady), Scheduled: m.count(queue.StateScheduled), Running: m.count(queue.StateRunning),
		Retrying: m.count(queue.StateRetrying), Undoing: m.count(queue.StateUndoing), Dead: m.count(queue.StateDead),
		Cancelled: m.count(queue.StateCancelled), Done: m.count(queue.StateDone),
		Published: int64(len(m.tasks)), Completed: m.done, Capacity: int64(m.limits.Capacity), Paused: m.paused,
	}
	for _, t := range m.those(func(t *modelTask) bool { return t.state == queue.StateReady }) {
		s.OldestReady = max(s.OldestReady, m.now-t.due)
	}
	return s
}

// sameError compares what callers can tell apart.
func sameError(got, want error) bool {
	var g, w *queue.StateError
	if errors.As(want, &w) {
		return errors.As(got, &g) && *g == *w
	}
	return errors.Is(got, want)
}

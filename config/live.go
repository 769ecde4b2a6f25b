package config

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Live is a section that follows reloads: [Live.Get] gives its present value. Make one with [Follow]. All methods are
// safe for concurrent use.
type Live[T any] struct {
	all   *following
	index int
}

// Follow is [Section] for a section that may change while the program runs. It belongs where the program is put
// together, before the first [Config.Reload]. Several may follow one section. Beside an error it returns nil.
func Follow[T any](c *Config, name string) (*Live[T], error) {
	c.Claim(name)
	value, err := decoded[T](c, name)
	if err != nil {
		return nil, err
	}
	q := question{splitPath(name), func(from *Config) (any, error) { return decoded[T](from, name) }}
	return &Live[T]{&c.live, c.live.add(q, value)}, nil
}

// Get returns the present value. Once somebody has seen the new value of any section of a configuration, everybody
// sees the new values of all. The value is shared: what its maps, slices and pointers lead to must not be changed.
func (l *Live[T]) Get() T { return (*l.all.values.Load())[l.index].(T) }

// OnChange calls f after each change of the section with its old and new value, until stop is called. All functions
// of a configuration are called one after the other, in the order in which they were given to OnChange, and the new
// values of all sections are in effect by then. No lock is held meanwhile, so f may use everything here, stop too;
// only it must not wait for another reload. A change that is already under way is not told: whoever wants to know of
// every change calls OnChange first and Get after it.
//
// Once stop has returned, f is not called any more; a call under way may still last.
func (l *Live[T]) OnChange(f func(old, new T)) (stop func()) {
	return l.all.tell(l.index, func(old, new any) { f(old.(T), new.(T)) })
}

// following is every live section of a configuration and who is told of changes.
type following struct {
	values atomic.Pointer[[]any] // by section; never changed, but replaced as a whole

	mu        sync.Mutex
	sections  []question
	followers []*follower
}

// follower is a function given to OnChange.
type follower struct {
	section int
	f       func(old, new any)
}

// present are the values in effect.
func (a *following) present() []any {
	if values := a.values.Load(); values != nil {
		return *values
	}
	return nil
}

// add adds a section with its first value.
func (a *following) add(q question, value any) (index int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	values := append(slices.Clone(a.present()), value)
	a.values.Store(&values)
	a.sections = append(a.sections, q)
	return len(values) - 1
}

func (a *following) tell(section int, f func(old, new any)) (stop func()) {
	one := &follower{section, f}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.followers = append(a.followers, one)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.followers = slices.DeleteFunc(slices.Clone(a.followers), func(other *follower) bool { return other == one })
	}
}

// swap puts the new values in effect, and gives those of before and who is to be told. Sections that came after the
// new values were read keep theirs.
func (a *following) swap(fresh []any) (before []any, tell []*follower) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before = a.present()
	values := slices.Clone(before)
	copy(values, fresh)
	a.values.Store(&values)
	return before, a.followers
}

// listens tells whether the follower is still to be told.
func (a *following) listens(one *follower) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.followers, one)
}

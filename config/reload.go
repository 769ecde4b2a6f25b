package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Reload is a configuration that was read anew and found sound. It has no effect before Apply.
type Reload struct {
	// Live are the settings that change with Apply, sorted: those of sections that are followed.
	Live []Change
	// Restart are the settings, sorted, that differ from those the program was started with and are read only at its
	// start. They stay in this list, reload after reload, until they are set back.
	Restart []Change
	// All are the settings, sorted, that differ from those in effect, whoever reads them.
	All []Change

	config *Config // that was first loaded
	next   *Config

	// Of the live sections:
	sections []string
	values   []any
	same     []bool // it does not change
}

// Reload reads the sources again, and asks of the result all that was asked of c by [Section], [Follow] and [Ask]: with
// the same types, defaults and validation. The error joins all faults; when there is one nothing has changed, and a
// later Reload may succeed. What [Environment] and [Settings] were given stays as it was; ${NAME} is looked up where
// Load looked it up.
//
// Of two reloads at the same time the one that is applied last holds. [Reload.Apply] and the notices it returns must not
// overlap with those of another.
func (c *Config) Reload() (*Reload, error) {
	next, err := Load(c.sources...)
	r := &Reload{config: c, next: next}
	faults := []error{err}

	c.mu.Lock()
	next.claimed = maps.Clone(c.claimed)
	asked, latest := slices.Clone(c.asked), c.latest
	c.mu.Unlock()
	faults = append(faults, r.compareFixed(asked), r.compareLive(latest))
	if err := Join(faults...); err != nil {
		return nil, err
	}
	return r, nil
}

// Config is the configuration that was read. Unlike the one that Reload was called on, it holds the new settings of
// every section.
func (r *Reload) Config() *Config { return r.next }

// Notice tells one function given to OnChange of a change.
type Notice struct {
	Section string
	Tell    func() // calls it, unless it was stopped in the meantime
}

// Apply puts the new values of all live sections in effect, all at once. It returns the notices for those who follow
// the ones that have changed; the caller tells them, one after the other.
func (r *Reload) Apply() []Notice {
	c := r.config
	before, followers := c.live.swap(r.values)
	c.mu.Lock()
	c.latest = r.next
	c.mu.Unlock()
	var notices []Notice
	for _, one := range followers {
		i := one.section
		if i >= len(r.values) || r.same[i] {
			continue
		}
		notices = append(notices, Notice{r.sections[i], func() {
			if c.live.listens(one) {
				one.f(before[i], r.values[i])
			}
		}})
	}
	return notices
}

// compareFixed asks what was asked once, and finds the settings that those who asked will not hear of.
func (r *Reload) compareFixed(asked []question) error {
	changed := differences(r.config, r.next)
	var faults []error
	var concerned []question
	for _, q := range asked {
		value, err := q.ask(r.next)
		faults = append(faults, err)
		if old, errOld := q.ask(r.config); errOld != nil || !reflect.DeepEqual(old, value) {
			concerned = append(concerned, q)
		}
	}
	r.Restart = covered(changed, concerned)
	return Join(faults...)
}

// compareLive gets the new values of the live sections, and finds what changes in them.
func (r *Reload) compareLive(latest *Config) error {
	if latest == nil {
		latest = r.config
	}
	changed := differences(latest, r.next)
	for _, d := range changed {
		r.All = append(r.All, d.Change)
	}
	live := &r.config.live
	live.mu.Lock()
	sections, before := slices.Clone(live.sections), live.present()
	live.mu.Unlock()

	var faults []error
	var concerned []question
	for i, q := range sections {
		value, err := q.ask(r.next)
		faults = append(faults, err)
		same := len(covered(changed, []question{q})) == 0 || reflect.DeepEqual(before[i], value)
		if same {
			value = before[i]
		} else {
			concerned = append(concerned, q)
		}
		r.sections = append(r.sections, strings.Join(q.path, "."))
		r.values, r.same = append(r.values, value), append(r.same, same)
	}
	r.Live = covered(changed, concerned)
	return Join(faults...)
}

// question is something that a program wanted to know of its configuration.
type question struct {
	path []string
	ask  func(*Config) (any, error)
}

// covers tells whether the answer may depend on the setting of those keys.
func (q question) covers(keys []string) bool {
	for i := range min(len(q.path), len(keys)) {
		if fold(q.path[i]) != fold(keys[i]) {
			return false
		}
	}
	return true
}

// Ask calls f with c and returns what it returns, and makes a question of it that each [Config.Reload] asks the new
// configuration: an error of f, faults as a rule, is one of the reload, and an answer that is not deeply equal means
// that the settings at path which have changed need a restart. F must depend on nothing but the configuration.
func Ask[T any](c *Config, path string, f func(*Config) (T, error)) (T, error) {
	c.mu.Lock()
	c.asked = append(c.asked, question{splitPath(path), func(from *Config) (any, error) { return f(from) }})
	c.mu.Unlock()
	return f(c)
}

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is a setting that differs from before.
type Change struct {
	Key     string // with dots, as in "shop.poll_every"
	Where   string // where it is set now; of one that is not set any more, where it was
	Removed bool   // it is not set any more
}

// String is the key and its place: "shop.poll_every (cfg.yaml:3)".
func (c Change) String() string {
	switch {
	case c.Removed:
		return fmt.Sprintf("%s (no longer set, was %s)", c.Key, c.Where)
	case c.Where == "":
		return c.Key
	}
	return fmt.Sprintf("%s (%s)", c.Key, c.Where)
}

// difference is a Change with its key in parts.
type difference struct {
	keys []string
	Change
}

// setting is a setting or group of settings in one configuration.
type setting struct {
	keys  []string
	value any // nil if it is not set
	at    *place
}

// differences are the settings that two configurations do not have in common, sorted. A list is one setting.
func differences(old, new *Config) []difference {
	found := compare(setting{value: old.values.Raw(), at: old.root}, setting{value: new.values.Raw(), at: new.root})
	slices.SortFunc(found, func(a, b difference) int { return strings.Compare(a.Key, b.Key) })
	return found
}

func compare(old, new setting) (found []difference) {
	groupOld, isOld := old.value.(map[string]any)
	groupNew, isNew := new.value.(map[string]any)
	switch {
	case isOld && isNew, isOld && new.value == nil, isNew && old.value == nil:
		met := map[string]bool{}
		for _, key := range sortedKeys(groupOld) {
			spelt := new.spelling(old, key)
			met[spelt] = true
			found = append(found, compare(old.child(key), new.child(spelt))...)
		}
		for _, key := range sortedKeys(groupNew) {
			if !met[key] {
				found = append(found, compare(old.child(key), new.child(key))...)
			}
		}
		return found
	case reflect.DeepEqual(old.value, new.value):
		return nil
	case new.value == nil:
		return []difference{{old.keys, Change{old.key(), old.where(), true}}}
	}
	return []difference{{new.keys, Change{new.key(), new.where(), false}}}
}

func (s setting) key() string { return strings.Join(s.keys, ".") }

func (s setting) where() string {
	if s.at == nil {
		return ""
	}
	return s.at.anyWhere()
}

func (s setting) child(key string) setting {
	group, _ := s.value.(map[string]any)
	child := setting{keys: append(slices.Clone(s.keys), key), value: group[key]}
	if s.at != nil {
		child.at = s.at.children[key]
	}
	return child
}

// spelling is how s spells a key of the other group: an environment variable does not say how, and follows the files.
func (s setting) spelling(other setting, key string) string {
	group, _ := s.value.(map[string]any)
	if _, same := group[key]; same {
		return key
	}
	for _, name := range sortedKeys(group) {
		loose := s.child(name).at.isLoose() || other.child(key).at.isLoose()
		if loose && fold(name) == fold(key) {
			return name
		}
	}
	return key
}

func (p *place) isLoose() bool { return p != nil && p.loose }

// covered are the changes that one of the questions depends on.
func covered(all []difference, questions []question) (some []Change) {
	for _, d := range all {
		if slices.ContainsFunc(questions, func(q question) bool { return q.covers(d.keys) }) {
			some = append(some, d.Change)
		}
	}
	return some
}

package memory

import (
	"hash/maphash"
	"iter"
)

// index finds tasks by their ID: a hash table whose chains run through the tasks themselves. A task keeps its hash, so that only whoever comes with a bare ID has
// to hash one, and nothing is allocated for one task more.
type index struct {
	seed   maphash.Seed
	chains []*entry // as many as a power of two
	size   int
}

func newIndex() index { return index{seed: maphash.MakeSeed(), chains: make([]*entry, 16)} }

func (x *index) hash(id string) uint64 { return maphash.String(x.seed, id) }

func (x *index) chain(hash uint64) **entry { return &x.chains[hash&uint64(len(x.chains)-1)] }

// find is the task with that ID, nil when there is none.
func (x *index) find(id string) *entry { return x.lookUp(id, x.hash(id)) }

// lookUp is find for those who have the hash of the ID.
func (x *index) lookUp(id string, hash uint64) *entry {
	for t := *x.chain(hash); t != nil; t = t.chained {
		if t.hash == hash && t.info.ID == id {
			return t
		}
	}
	return nil
}

// add takes a task in whose ID is not there yet, with its hash.
func (x *index) add(t *entry, hash uint64) {
	if x.size++; x.size > len(x.chains) {
		x.resize(2 * len(x.chains))
	}
	t.hash = hash
	head := x.chain(hash)
	t.chained, *head = *head, t
}

// remove takes a task out that is in.
func (x *index) remove(t *entry) {
	at := x.chain(t.hash)
	for *at != t {
		at = &(*at).chained
	}
	*at, t.chained = t.chained, nil
	if x.size--; len(x.chains) > 1024 && x.size < len(x.chains)/8 {
		x.resize(len(x.chains) / 2)
	}
}

func (x *index) resize(chains int) {
	old := x.chains
	x.chains = make([]*entry, chains)
	for _, t := range old {
		for t != nil {
			next := t.chained
			head := x.chain(t.hash)
			t.chained, *head = *head, t
			t = next
		}
	}
}

// all gives every task, in no order.
func (x *index) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, t := range x.chains {
			for ; t != nil; t = t.chained {
				if !yield(t) {
					return
				}
			}
		}
	}
}

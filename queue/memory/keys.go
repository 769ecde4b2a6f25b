package memory

import "time"

// key is a unique key that counts: its task lives, or its time is not over.
type key struct {
	name  string
	task  string        // ID
	until time.Duration // counts until then in any case
	index int           // among the ended ones, -1 while its task lives
}

func (k *key) moved(index int) { k.index = index }

// keys are the unique keys of a queue. The zero value is empty.
type keys struct {
	counting map[string]*key
	ended    heap[*key] // those whose task has ended, by until
}

// find gives the key if it counts.
func (k *keys) find(name string) (*key, bool) {
	found, ok := k.counting[name]
	return found, ok
}

// claim makes name count for a task, until its end and at least until then. It must not count for another.
func (k *keys) claim(name, task string, until time.Duration) *key {
	if own := k.counting[name]; own != nil {
		k.ended.remove(own.index)
		return own
	}
	if k.counting == nil {
		k.counting = map[string]*key{}
	}
	claimed := &key{name: name, task: task, until: until, index: -1}
	k.counting[name] = claimed
	return claimed
}

// release says that the key's task has ended.
func (k *keys) release(released *key, now time.Duration) {
	if released.until <= now {
		delete(k.counting, released.name)
	} else {
		k.ended.push(released, place{at: released.until})
	}
}

// expire forgets the keys whose time is over.
func (k *keys) expire(now time.Duration) {
	for k.ended.due(now) {
		delete(k.counting, k.ended.pop().name)
	}
}

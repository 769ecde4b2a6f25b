package queuetest

import (
	"fmt"
)

func deadTests() []test {
	return []test{
		{"none", 1, deadNone},
		{"the last to die comes first", 5, deadOrder},
		{"up to a limit", 4, deadLimit},
		{"everything is kept", 1, deadEverything},
	}
}

// kill publishes a task and makes it a dead letter.
func (r *rig) kill(cause string, edits ...edit) string {
	r.Helper()
	id := r.publish(edits...)
	r.complete(bury(r.task(id, ample).Token, cause))
	return id
}

func deadNone(r *rig) {
	r.complete(done(r.task(r.publish(), ample).Token))
	if letters := r.dead(10); len(letters) != 0 {
		r.Errorf("dead letters %+v, nothing has died", letters)
	}
}

func deadOrder(r *rig) {
	var ids []string
	for n := range 5 {
		ids = append(ids, r.kill(fmt.Sprintf("cause %d", n)))
	}
	letters := r.dead(10)
	if len(letters) != 5 {
		r.Fatalf("%d dead letters, expected 5", len(letters))
	}
	for i, l := range letters {
		n := 4 - i
		if l.Info.ID != ids[n] {
			r.Errorf("letter %d is task %s, expected %s", i, l.Info.ID, ids[n])
		}
		r.failures(l, fmt.Sprintf("cause %d", n))
		if i > 0 && l.DiedAt.After(letters[i-1].DiedAt) {
			r.Errorf("letter %d died at %s, after the one before it at %s", i, l.DiedAt, letters[i-1].DiedAt)
		}
	}
}

func deadLimit(r *rig) {
	var last string
	for range 4 {
		last = r.kill("bad")
	}
	if letters := r.dead(1); len(letters) != 1 || letters[0].Info.ID != last {
		r.Errorf("Dead(1) is %+v, expected the last one", letters)
	}
	for limit, want := range map[int]int{-1: 0, 0: 0, 3: 3, 4: 4, 1000: 4} {
		if got := len(r.dead(limit)); got != want {
			r.Errorf("Dead(%d) lists %d letters, expected %d", limit, got, want)
		}
	}
}

func deadEverything(r *rig) {
	rec := r.record(priority(3), unique("key"), attempts(9))
	rec.Info.Metadata = map[string]string{"tenant": "north"}
	r.publishRecords(rec)
	r.complete(bury(r.one(ample).Token, "bad"))
	letter := r.lastDead()
	i := letter.Info
	if i.ID != rec.Info.ID || i.Queue != "tests" || i.Kind != "test" || i.Attempt != 1 || i.MaxAttempts != 9 ||
		i.Priority != 3 || i.Unique != "key" || i.Metadata["tenant"] != "north" || i.EnqueuedAt.IsZero() {
		r.Errorf("the dead letter's task is %+v", i)
	}
	if textOf(letter.Payload) != textOf(rec.Payload) || letter.DiedAt.Before(i.EnqueuedAt) {
		r.Errorf("dead letter %+v", letter)
	}
}

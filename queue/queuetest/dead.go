package queuetest

import (
	"fmt"

	"github.com/plba/plba/queue"
)

func deadTests() []test {
	return []test{
		{"none", 1, deadNone},
		{"all are listed", 5, deadAll},
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
	if letters := r.tasks(queue.StateDead); len(letters) != 0 {
		r.Errorf("dead letters %+v, nothing has died", letters)
	}
}

func deadAll(r *rig) {
	var ids []string
	for n := range 5 {
		ids = append(ids, r.kill(fmt.Sprintf("cause %d", n)))
	}
	letters := r.tasks(queue.StateDead)
	if len(letters) != 5 {
		r.Fatalf("%d dead letters, expected 5", len(letters))
	}
	for i, l := range letters {
		n := 4 - i
		if l.Info.ID != ids[n] {
			r.Errorf("letter %d is task %s, expected %s", i, l.Info.ID, ids[n])
		}
		r.failures(l, fmt.Sprintf("cause %d", n))
	}
}

func deadEverything(r *rig) {
	rec := r.record(priority(3), unique("key"), attempts(9))
	rec.Info.Metadata = map[string]string{"tenant": "north"}
	r.publishRecords(rec)
	r.complete(bury(r.one(ample).Token, "bad"))
	letter := r.theDead()
	i := letter.Info
	if i.ID != rec.Info.ID || i.Queue != "tests" || i.Kind != "test" || i.Attempt != 1 || i.MaxAttempts != 9 ||
		i.Priority != 3 || i.Unique != "key" || i.Metadata["tenant"] != "north" || i.EnqueuedAt.IsZero() {
		r.Errorf("the dead letter's task is %+v", i)
	}
	if textOf(letter.Payload) != textOf(rec.Payload) || letter.State != queue.StateDead || letter.EndedAt.Before(i.EnqueuedAt) {
		r.Errorf("dead letter %+v", letter)
	}
}

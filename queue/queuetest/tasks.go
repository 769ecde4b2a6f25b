package queuetest

import (
	"slices"
	"time"

	"github.com/plba/plba/queue"
)

func tasksTests() []test {
	return []test{
		{"of an empty queue", 0, tasksNone},
		{"in each state", 6, tasksStates},
		{"page by page", 25, tasksPages},
		{"a page goes on behind what has gone", 6, tasksGone},
		{"absurd limits", 3, tasksLimits},
		{"everything about one", 1, tasksOne},
	}
}

func tasksNone(r *rig) {
	if page := r.page(queue.Query{}); len(page.Tasks) != 0 || page.Next != "" {
		r.Errorf("a page of an empty queue: %+v", page)
	}
}

func tasksStates(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.KeepDone = ample })
	want := map[queue.State]string{}
	l := r.task(r.publish(), ample)
	r.complete(done(l.Token))
	want[queue.StateDone] = l.ID
	want[queue.StateDead] = r.kill("bad")
	l = r.task(r.publish(), ample)
	r.complete(retry(l.Token, ample, "first"))
	want[queue.StateRetrying] = l.ID
	want[queue.StateRunning] = r.task(r.publish(), ample).ID
	want[queue.StateReady] = r.publish()
	want[queue.StateScheduled] = r.publish(delayed(ample))
	all := r.tasks()
	if len(all) != len(want) || !slices.IsSortedFunc(all, func(a, b queue.Task) int { return -cmpID(a, b) }) {
		r.Errorf("listed are %+v, expected six tasks, those published last first", all)
	}
	for state, id := range want {
		listed := r.tasks(state)
		if len(listed) != 1 || listed[0].Info.ID != id || listed[0].State != state {
			r.Errorf("tasks that are %s: %+v, expected %s", state, listed, id)
			continue
		}
		if leased := !listed[0].LeasedUntil.IsZero(); leased != (state == queue.StateRunning) {
			r.Errorf("the task that is %s is leased until %s", state, listed[0].LeasedUntil)
		}
		if p := listed[0].Payload; p.Value != nil || p.Bytes != nil {
			r.Errorf("a page holds the payload %v", p)
		}
	}
	if both := r.tasks(queue.StateReady, queue.StateRunning); len(both) != 2 {
		r.Errorf("tasks that are ready or running: %+v", both)
	}
}

func cmpID(a, b queue.Task) int {
	switch {
	case a.Info.ID < b.Info.ID:
		return -1
	case a.Info.ID > b.Info.ID:
		return 1
	default:
		return 0
	}
}

func tasksPages(r *rig) {
	ids := r.publishN(20)
	r.publishN(5, delayed(ample))
	slices.Sort(ids)
	slices.Reverse(ids)
	var got []string
	q := queue.Query{States: []queue.State{queue.StateReady}, Limit: 7}
	for pages := 1; ; pages++ {
		page := r.page(q)
		for _, t := range page.Tasks {
			got = append(got, t.Info.ID)
		}
		if page.Next == "" {
			break
		}
		if len(page.Tasks) != 7 || pages > 3 {
			r.Fatalf("page %d has %d tasks and goes on", pages, len(page.Tasks))
		}
		q.After = page.Next
	}
	if !slices.Equal(got, ids) {
		r.Errorf("the pages hold %v, expected %v", got, ids)
	}
	if whole := r.page(queue.Query{States: q.States, Limit: 20}); len(whole.Tasks) != 20 || whole.Next != "" {
		r.Errorf("a page of all has %d tasks, and goes on with %q", len(whole.Tasks), whole.Next)
	}
}

func tasksGone(r *rig) {
	ids := r.publishN(6)
	slices.Sort(ids)
	page := r.page(queue.Query{Limit: 2})
	r.purged(6-3, queue.ByID(ids[5], ids[4], ids[3]))
	rest := r.page(queue.Query{After: page.Next})
	if len(rest.Tasks) != 3 || rest.Tasks[0].Info.ID != ids[2] {
		r.Errorf("behind a page whose tasks are gone: %+v", rest)
	}
}

func tasksLimits(r *rig) {
	r.publishN(3)
	for limit, want := range map[int]int{-1: 3, 0: 3, 1: 1, 3: 3, 1 << 40: 3} {
		if page := r.page(queue.Query{Limit: limit}); len(page.Tasks) != want || (page.Next == "") != (want == 3) {
			r.Errorf("limit %d: %d tasks, next %q; expected %d", limit, len(page.Tasks), page.Next, want)
		}
	}
	if page := r.page(queue.Query{After: "!"}); len(page.Tasks) != 0 || page.Next != "" {
		r.Errorf("behind the end: %+v", page)
	}
}

// tasksOne looks at a task on its way.
func tasksOne(r *rig) {
	rec := r.record(attempts(2), unique("key"), priority(4))
	rec.Info.Metadata = map[string]string{"tenant": "north"}
	id := r.publishRecords(rec)[0].ID
	check := func(when string, state queue.State, attempt, failures int) queue.Task {
		t := r.look(id)
		i := t.Info
		if t.State != state || i.Attempt != attempt || len(t.Failures) != failures || i.ID != id || i.MaxAttempts != 2 || i.Unique != "key" ||
			i.Priority != 4 || i.Metadata["tenant"] != "north" || i.EnqueuedAt.IsZero() || textOf(t.Payload) != textOf(rec.Payload) {
			r.Errorf("%s: %+v; expected %s, attempt %d, %d failures", when, t, state, attempt, failures)
		}
		if state.Living() != t.EndedAt.IsZero() || t.Cancelling || t.EndsAs != "" {
			r.Errorf("%s: %+v", when, t)
		}
		return t
	}
	check("published", queue.StateReady, 0, 0)
	l := r.task(id, ample)
	t := check("claimed", queue.StateRunning, 1, 0)
	if left := time.Until(t.LeasedUntil); left < ample-patience || left > ample+patience {
		r.Errorf("its lease ends in %s, it is for %s", left, ample)
	}
	r.complete(retry(l.Token, ample, "first"))
	t = check("retrying", queue.StateRetrying, 1, 1)
	if wait := time.Until(t.Info.RunAt); wait < ample-patience || wait > ample+patience || !t.LeasedUntil.IsZero() {
		r.Errorf("it is due in %s, asked for were %s; leased until %s", wait, ample, t.LeasedUntil)
	}
	r.runNow(1, queue.ByID(id))
	r.complete(retry(r.task(id, ample).Token, 0, "second"))
	check("dead", queue.StateDead, 2, 2)
	if rows := r.tasks(); len(rows) != 1 || len(rows[0].Failures) != 1 || rows[0].Failures[0].Error != "second" {
		r.Errorf("in a page it is %+v, expected one task with its last failure", rows)
	}
}

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/plba/plba/task"
)

// checkpointPrefix begins the paths of outputs that are only kept to go on from; those of effects that can be
// undone begin with task.UndoPrefix.
const checkpointPrefix = "checkpoint/"

// keepTimeout bounds writing a record when the run it belongs to is cancelled: what has happened must be written
// down all the same.
const keepTimeout = 10 * time.Second

// journal is what is known of one task's progress: a record for each place of the run whose stage has succeeded
// and keeps its output. With a store the records are the queue's and outlive the run; without one they end with it,
// and their values are not encoded.
//
// The key of a record says everything but the value: the path of the place, the fingerprint of its stage, and for
// an effect that can be undone its number in the order of completion. So the keys alone tell where a run goes on,
// what is to be undone in which order, and whether the pipeline has changed since.
//
// While an effect is being undone a mark stands beside its record: should the process end then, nobody knows whether the
// effect still stands. To undo it again is safe then, to go on behind it is not.
type journal struct {
	stages []keptStage
	store  task.Checkpoints // may be nil

	mu      sync.Mutex
	records map[string]*record // by path
	last    int                // the highest number of an effect
}

type record struct {
	stage  *keptStage
	path   string
	number int  // of an effect that can be undone; 0 for an output that is only kept
	marked bool // it may be undone already
	value  any  // the *effect, when there is no store
}

// key is where the store keeps the record.
func (r *record) key() string {
	if r.number == 0 {
		return checkpointPrefix + r.path + "@" + r.stage.fingerprint
	}
	return fmt.Sprintf("%s%08d/%s@%s", task.UndoPrefix, r.number, r.path, r.stage.fingerprint)
}

// markSuffix makes the key of the mark of the key of the record. To forget the record is to forget its mark.
const markSuffix = "!"

// read makes the record that has the key. Known is false for a key that none of the stages writes.
func (j *journal) read(key string) (r *record, known bool) {
	r = &record{}
	rest, plain := strings.CutPrefix(key, checkpointPrefix)
	if !plain {
		number, path, _ := strings.Cut(strings.TrimPrefix(key, task.UndoPrefix), "/")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, false
		}
		r.number, rest = n, path
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return nil, false
	}
	r.path = rest[:at]
	r.stage = j.stageAt(r.path)
	known = r.stage != nil && r.stage.fingerprint == rest[at+1:] && (r.stage.undo != nil) == (r.number > 0)
	return r, known
}

func (j *journal) stageAt(path string) *keptStage {
	for i := range j.stages {
		if j.stages[i].standsAt(path) {
			return &j.stages[i]
		}
	}
	return nil
}

// open reads what the store keeps of the task. The keys that no stage of this pipeline can have written are
// returned: those of plain checkpoints, and those of effects. Keys of others are none of its business.
func (j *journal) open(ctx context.Context) (plain, effects []string, err error) {
	if j.store == nil {
		return nil, nil, nil
	}
	keys, err := j.store.List(ctx, "")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read what is kept of the task: %w", err)
	}
	for _, key := range keys { // sorted: a mark comes behind its record
		effect := strings.HasPrefix(key, task.UndoPrefix)
		if !effect && !strings.HasPrefix(key, checkpointPrefix) {
			continue
		}
		key, mark := strings.CutSuffix(key, markSuffix)
		r, known := j.read(key)
		switch {
		case known && mark:
			j.records[r.path].marked = true
		case known:
			j.records[r.path] = r
			j.last = max(j.last, r.number)
		case effect:
			effects = append(effects, key)
		default:
			plain = append(plain, key)
		}
	}
	return plain, effects, nil
}

// tidy finishes what a process that has ended could not: it forgets the effects inside of those that have taken their place
// and, before a run that is to go on, those that may be undone already.
func (j *journal) tidy(ctx context.Context, undo bool) error {
	for _, r := range j.effects("") {
		void := j.effects(r.path + "/")
		if r.marked && !undo {
			void = append(void, r)
		}
		if err := j.forget(ctx, void...); err != nil {
			return err
		}
	}
	return nil
}

// mark says that the effect of the record is about to be undone.
func (j *journal) mark(ctx context.Context, r *record) error {
	if j.store == nil || r.marked {
		return nil
	}
	if err := j.store.Save(ctx, r.key()+markSuffix, struct{}{}); err != nil {
		return fmt.Errorf("cannot note that it is being undone: %w", err)
	}
	r.marked = true
	return nil
}

// at is the record of that place, nil without.
func (j *journal) at(path string) *record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.records[path]
}

func (j *journal) empty() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.records) == 0
}

// keep makes a record. value is an *effect; the store gets all of it, or the output alone. A record takes the
// place of the effects inside of it when it can be undone itself.
func (j *journal) keep(ctx context.Context, path string, value interface{ output() any }) error {
	r := &record{stage: j.stageAt(path), path: path}
	if r.stage == nil {
		return task.Permanent(fmt.Errorf("no stage that keeps its output stands at %q: the run has a place that its graph has not", path))
	}
	undoable := r.stage.undo != nil
	if undoable {
		j.mu.Lock()
		j.last++
		r.number = j.last
		j.mu.Unlock()
	}
	if err := j.write(ctx, r, value); err != nil {
		return fmt.Errorf("cannot keep the output: %w", err)
	}
	j.mu.Lock()
	j.records[path] = r
	j.mu.Unlock()
	if !undoable {
		return nil
	}
	return j.forget(ctx, j.effects(path+"/")...)
}

// write puts the record's value into the store. The value's own encoding may panic.
func (j *journal) write(ctx context.Context, r *record, value interface{ output() any }) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	if j.store == nil {
		r.value = value
		return nil
	}
	v := any(value)
	if r.number == 0 {
		v = value.output()
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	return j.store.Save(ctx, r.key(), v)
}

// lasting is a context for writing down what has happened, whatever has become of the run.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
}

// effects are the records of what can be undone at places whose path begins with prefix, the latest first.
func (j *journal) effects(prefix string) []*record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []*record
	for _, r := range j.records {
		if r.number > 0 && strings.HasPrefix(r.path, prefix) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int { return b.number - a.number })
	return found
}

// forget removes records.
func (j *journal) forget(ctx context.Context, records ...*record) error {
	for _, r := range records {
		if j.store != nil {
			ctx, cancel := lasting(ctx)
			err := j.store.Forget(ctx, r.key())
			cancel()
			if err != nil {
				return fmt.Errorf("cannot forget the record of %s: %w", r.path, err)
			}
		}
		j.mu.Lock()
		delete(j.records, r.path)
		j.mu.Unlock()
	}
	return nil
}

// forgetOutputs removes what is only kept to go on from, at places whose path begins with prefix.
func (j *journal) forgetOutputs(ctx context.Context, prefix string) error {
	if j.store != nil {
		ctx, cancel := lasting(ctx)
		defer cancel()
		if err := j.store.Forget(ctx, checkpointPrefix+prefix); err != nil {
			return fmt.Errorf("cannot forget checkpoints: %w", err)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for path, r := range j.records {
		if r.number == 0 && strings.HasPrefix(path, prefix) {
			delete(j.records, path)
		}
	}
	return nil
}

// effect is what a stage did: it took In and gave Out.
type effect[In, Out any] struct {
	In  In  `json:"in"`
	Out Out `json:"out"`
}

func (e *effect[In, Out]) output() any { return e.Out }

// errGone says that a record was listed and is not there.
var errGone = errors.New("it is gone")

// recall gives what a record holds; In only when it can be undone. The value's own decoding may panic.
func recall[In, Out any](ctx context.Context, j *journal, r *record) (e effect[In, Out], err error) {
	defer func() {
		if v := recover(); v != nil {
			e, err = effect[In, Out]{}, newPanicError(v)
		}
	}()
	if r.value != nil {
		return *r.value.(*effect[In, Out]), nil
	}
	into := any(&e)
	if r.number == 0 {
		into = &e.Out
	}
	found, err := j.store.Load(ctx, r.key(), into)
	if err == nil && !found {
		err = errGone
	}
	if err != nil {
		return effect[In, Out]{}, fmt.Errorf("cannot read what was kept of it: %w", err)
	}
	return e, nil
}

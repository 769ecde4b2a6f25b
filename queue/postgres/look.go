package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
)

// Task implements queue.Admin.
func (e *engine) Task(ctx context.Context, taskID string) (v queue.Task, err error) {
	err = e.with(ctx, func(ctx context.Context, id int32) error {
		found := false
		err := e.do(ctx, func(ctx context.Context) error {
			rows, err := e.pool.Query(ctx, e.sql(taskSQL), id, taskID)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var t row
				var payload []byte
				if err := t.scan(rows, &t.failures, &payload); err != nil {
					return err
				}
				if v, err = t.view(e.name); err != nil {
					return err
				}
				v.Payload = queue.Payload{Bytes: payload}
				if t.failures != nil {
					if err := json.Unmarshal(t.failures, &v.Failures); err != nil {
						return fmt.Errorf("%w: the history of task %s: %w", errInternal, taskID, err)
					}
				}
				found = true
			}
			return rows.Err()
		})
		if err == nil && !found {
			return notFound(taskID)
		}
		return err
	})
	return v, err
}

// view is what people see of a task, without payload and history.
func (t *row) view(queueName string) (v queue.Task, err error) {
	v = queue.Task{State: stateNames[t.state], Cancelling: t.cancelling}
	if v.Info, err = t.info(queueName); err != nil {
		return v, fmt.Errorf("%w: the metadata of task %s: %w", errInternal, t.id, err)
	}
	if t.leased() && t.until != nil {
		v.LeasedUntil = *t.until
	}
	if t.state == undoing {
		v.EndsAs = stateNames[t.endsAs]
	}
	if !t.state.living() && t.ended != nil {
		v.EndedAt = *t.ended
	}
	return v, nil
}

// Tasks implements queue.Admin.
func (e *engine) Tasks(ctx context.Context, q queue.Query) (page queue.Page, err error) {
	states := statesNamed(q.States)
	if len(q.States) > 0 && len(states) == 0 {
		states = []int16{0}
	}
	size := q.Size()
	err = e.with(ctx, func(ctx context.Context, id int32) error {
		return e.do(ctx, func(ctx context.Context) error {
			page = queue.Page{}
			rows, err := e.pool.Query(ctx, e.sql(tasksSQL), id, q.After, states, size+1) // one more, to know whether that is all
			if err != nil {
				return err
			}
			page.Tasks, err = list(rows, e.name)
			return err
		})
	})
	if err != nil {
		return queue.Page{}, err
	}
	if len(page.Tasks) > size {
		page.Tasks = page.Tasks[:size]
		page.Next = page.Tasks[size-1].Info.ID
	}
	return page, nil
}

// list reads tasks with their last failure.
func list(rows pgx.Rows, queueName string) (ts []queue.Task, err error) {
	defer rows.Close()
	for rows.Next() {
		var t row
		var last json.RawMessage
		if err := t.scan(rows, &last); err != nil {
			return nil, err
		}
		v, err := t.view(queueName)
		if err != nil {
			return nil, err
		}
		if last != nil {
			var f queue.Failure
			if err := json.Unmarshal(last, &f); err != nil {
				return nil, fmt.Errorf("%w: the history of task %s: %w", errInternal, t.id, err)
			}
			v.Failures = []queue.Failure{f}
		}
		ts = append(ts, v)
	}
	return ts, rows.Err()
}

package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
)

// publication is one call of Publish on its way.
type publication struct {
	records []queue.Record
	answer  chan<- published
}

func (p publication) size() int { return len(p.records) }

type published struct {
	receipts []queue.Receipt
	err      error
}

// Publish implements queue.Engine. It returns when the tasks are committed. Calls that come at the same time share a transaction.
func (e *engine) Publish(ctx context.Context, rs []queue.Record, wait bool) (receipts []queue.Receipt, err error) {
	if len(rs) == 0 {
		return nil, ctx.Err()
	}
	err = e.call(ctx, func(ctx context.Context) (err error) {
		if e.limits.Capacity > 0 {
			receipts, err = e.fill(ctx, rs, wait)
			return err
		}
		answer := make(chan published, 1)
		own := append([]queue.Record(nil), rs...) // the caller may go when ctx ends, the batch goes on
		e.published.add(publication{own, answer})
		select {
		case a := <-answer:
			receipts = a.receipts
			return a.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return receipts, err
}

// flushPublications inserts what several calls publish. If the server does not want one of them, each is inserted alone.
func (e *engine) flushPublications(ps []publication) {
	all := make([]queue.Record, 0, len(ps))
	for _, p := range ps {
		all = append(all, p.records...)
	}
	receipts, err := e.insertAll(e.ctx, all)
	if err != nil && len(ps) > 1 && refused(err) {
		for _, p := range ps {
			e.flushPublications([]publication{p})
		}
		return
	}
	for _, p := range ps {
		if err != nil {
			p.answer <- published{err: err}
			continue
		}
		p.answer <- published{receipts: receipts[:len(p.records):len(p.records)]}
		receipts = receipts[len(p.records):]
	}
}

// insertAll inserts records. A connection that was lost is replaced and asked once more: a record that the database has already is recognised by its ID.
func (e *engine) insertAll(ctx context.Context, rs []queue.Record) (receipts []queue.Receipt, err error) {
	id, err := e.queueID(ctx)
	if err != nil {
		return nil, err
	}
	telling := e.turn() // in the same round, and the same transaction
	lost := false
	for {
		err = e.do(ctx, func(ctx context.Context) (err error) {
			receipts, err = e.insert(ctx, e.pool, id, rs, telling)
			return err
		})
		if lost || !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			break
		}
		lost = true
	}
	if err != nil {
		return nil, err
	}
	for i := range receipts {
		if lost && receipts[i].ID == rs[i].Info.ID {
			receipts[i].Existing = false // it was ourselves
		}
	}
	e.announce(rs, receipts, telling)
	return receipts, nil
}

// announce counts what was published, and lets it be claimed. told says that other processes have been told.
func (e *engine) announce(rs []queue.Record, receipts []queue.Receipt, told bool) {
	added, due := 0, 0
	now := time.Now()
	for i, r := range receipts {
		if r.Existing {
			continue
		}
		added++
		delay := rs[i].Delay
		if delay <= 0 && !rs[i].Info.RunAt.IsZero() {
			delay = rs[i].Info.RunAt.Sub(now)
		}
		if delay > 0 {
			e.expect(now.Add(delay))
		} else {
			due++
		}
	}
	e.mu.Lock()
	e.tally.published += int64(added)
	e.mu.Unlock()
	e.wakeReceivers(due)
	if due > 0 && !told {
		e.publish(e.name)
	}
}

// querier is a pool, a connection, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// insert adds the records whose unique keys do not count and whose IDs are not there, in one statement, and tells other processes if it is to.
func (e *engine) insert(ctx context.Context, q querier, id int32, rs []queue.Record, telling bool) ([]queue.Receipt, error) {
	c, err := columnsOf(rs)
	if err != nil {
		return nil, err
	}
	sql := e.sql(insertSQL)
	if c.unique {
		sql = e.sql(insertUniqueSQL)
	}
	var b pgx.Batch
	b.Queue(sql, append([]any{id}, c.arrays()...)...)
	if telling {
		b.Queue(tellSQL, e.channel(), []string{e.notice(e.name)})
	}
	sent := q.SendBatch(ctx, &b)
	added, err := collect[string](sent.Query())
	if fault := sent.Close(); err == nil { // which reads the other answer
		err = fault
	}
	if err != nil {
		return nil, err
	}
	receipts := make([]queue.Receipt, len(rs))
	for i := range rs {
		receipts[i].ID = rs[i].Info.ID
	}
	if len(added) == len(rs) {
		return receipts, nil
	}
	return receipts, e.explainExisting(ctx, q, id, rs, receipts, added)
}

// explainExisting says of records that were not added which task is there in their place.
func (e *engine) explainExisting(ctx context.Context, q querier, id int32, rs []queue.Record, receipts []queue.Receipt, added []string) error {
	is := make(map[string]bool, len(added))
	for _, a := range added {
		is[a] = true
	}
	var keys []string
	for i := range rs {
		if receipts[i].Existing = !is[rs[i].Info.ID]; receipts[i].Existing && rs[i].Info.Unique != "" {
			keys = append(keys, rs[i].Info.Unique)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	type holder struct{ Key, ID string }
	rows, err := q.Query(ctx, e.sql(holdersSQL), id, keys)
	if err != nil {
		return err
	}
	holders, err := pgx.CollectRows(rows, pgx.RowToStructByPos[holder])
	if err != nil {
		return err
	}
	of := make(map[string]string, len(holders))
	for _, h := range holders {
		of[h.Key] = h.ID
	}
	for i := range rs {
		if h := of[rs[i].Info.Unique]; receipts[i].Existing && h != "" {
			receipts[i].ID = h
		}
	}
	return nil
}

// recordColumns are records as the arguments of a statement: one array for each column.
type recordColumns struct {
	ids, kinds      []string
	uniques, groups []*string
	delays          []int64
	runAts          []*time.Time
	most            []int32
	priorities      []int16
	metadata        []*string
	payloads        [][]byte
	keyFor          []int64
	unique          bool // there are unique keys
}

// arrays are the arguments of insertSQL and insertUniqueSQL, behind the queue.
func (c *recordColumns) arrays() []any {
	return []any{c.ids, c.kinds, c.uniques, c.groups, c.delays, c.runAts, c.most, c.priorities, c.metadata, c.payloads, c.keyFor}
}

// first are those of insertOneSQL: the first record.
func (c *recordColumns) first() []any {
	return []any{
		c.ids[0], c.kinds[0], c.uniques[0], c.groups[0], c.delays[0], c.runAts[0], c.most[0], c.priorities[0], c.metadata[0], c.payloads[0], c.keyFor[0],
	}
}

func columnsOf(rs []queue.Record) (*recordColumns, error) {
	n := len(rs)
	c := &recordColumns{
		ids: make([]string, n), kinds: make([]string, n), uniques: make([]*string, n), groups: make([]*string, n),
		delays: make([]int64, n), runAts: make([]*time.Time, n), most: make([]int32, n), priorities: make([]int16, n),
		metadata: make([]*string, n), payloads: make([][]byte, n), keyFor: make([]int64, n),
	}
	seen := map[string]bool{}
	for i := range rs {
		if err := c.put(i, &rs[i], seen); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// put fills in a record. seen are the unique keys of those before.
func (c *recordColumns) put(i int, r *queue.Record, seen map[string]bool) error {
	c.ids[i], c.kinds[i], c.groups[i], c.delays[i] = r.Info.ID, r.Info.Kind, null(r.Info.Group), microseconds(r.Delay)
	c.most[i], c.priorities[i] = int32(r.Info.MaxAttempts), int16(r.Info.Priority) //nolint:gosec // small
	c.keyFor[i] = microseconds(r.UniqueFor)
	if at := r.Info.RunAt; r.Delay <= 0 && !at.IsZero() {
		at = countable(at)
		c.runAts[i] = &at
	}
	if c.payloads[i] = r.Payload.Bytes; r.Payload.Bytes == nil {
		c.payloads[i] = []byte{}
	}
	if key := r.Info.Unique; key != "" {
		c.uniques[i], c.unique = &key, true
		if seen[key] { // the first one of the batch has it, or whoever has it keeps it
			c.most[i] = -1
		}
		seen[key] = true
	}
	if len(r.Info.Metadata) == 0 {
		return nil
	}
	text, err := json.Marshal(r.Info.Metadata)
	if err != nil {
		return fmt.Errorf("the metadata of task %s: %w", r.Info.ID, err)
	}
	c.metadata[i] = null(string(text))
	return nil
}

// countable keeps an instant within what the database can count.
func countable(at time.Time) time.Time {
	now := time.Now()
	return now.Add(min(max(at.Sub(now), -longest), longest))
}

// fill publishes to a queue that has a capacity: an accepted prefix at a time.
func (e *engine) fill(ctx context.Context, rs []queue.Record, wait bool) (all []queue.Receipt, err error) {
	id, err := e.queueID(ctx)
	if err != nil {
		return nil, err
	}
	for {
		place, err := e.place(&e.fillers)
		if err != nil {
			return all, err
		}
		var receipts []queue.Receipt
		rest := rs[len(all):]
		err = e.tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
			receipts, err = e.fit(ctx, tx, id, rest)
			return err
		})
		if err != nil {
			e.quit(&e.fillers, place, true)
			return all, err
		}
		e.announce(rest[:len(receipts)], receipts, false)
		all = append(all, receipts...)
		switch {
		case len(all) == len(rs):
			e.quit(&e.fillers, place, true)
			return all, nil
		case !wait:
			e.quit(&e.fillers, place, false)
			return all, queue.ErrFull
		}
		if err := e.stay(ctx, &e.fillers, place, e.poll); err != nil {
			return all, fmt.Errorf("waiting for room: %w", err)
		}
	}
}

// fit inserts as many records as there is room for, the first ones. Those that fill the queue take turns.
func (e *engine) fit(ctx context.Context, tx pgx.Tx, id int32, rs []queue.Record) ([]queue.Receipt, error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockRoom, id); err != nil {
		return nil, err
	}
	ids, keys := make([]string, len(rs)), make([]string, len(rs))
	for i := range rs {
		ids[i], keys[i] = rs[i].Info.ID, rs[i].Info.Unique
	}
	var room int
	var known, held []string
	if err := tx.QueryRow(ctx, e.sql(roomSQL), id, e.limits.Capacity, ids, keys).Scan(&room, &known, &held); err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(known)+len(held))
	for _, k := range known {
		there["id "+k] = true
	}
	for _, k := range held {
		there["key "+k] = true
	}
	n := 0
	for ; n < len(rs); n++ {
		if there["id "+ids[n]] || keys[n] != "" && there["key "+keys[n]] {
			continue
		}
		if room == 0 {
			break
		}
		room--
		if keys[n] != "" {
			there["key "+keys[n]] = true
		}
	}
	if n == 0 {
		return nil, nil
	}
	return e.insert(ctx, tx, id, rs[:n], false)
}

// collect reads rows of one column.
func collect[T any](rows pgx.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

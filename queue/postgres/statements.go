package postgres

// The statements. {} stands for the schema, see store.sql. $1 is the queue in all of them that take it.

// record is a record among the arguments $2… of insert.
const record = `unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::int[], $9::smallint[], $10::text[], $11::bytea[], $12::bigint[])
	WITH ORDINALITY AS r(id, kind, uniq, grp, delay, run_at, most, priority, metadata, payload, key_for, n)`

// insertRecords inserts the records of what follows, which is named r.
const insertRecords = `INSERT INTO {}.tasks (queue, id, kind, uniq, grp, enqueued, due, seq, most, priority, state, stand, metadata, payload)
	SELECT $1, r.id, r.kind, r.uniq, r.grp, now(), d.due, nextval('{}.place'), r.most, r.priority,
		CASE WHEN d.due > now() THEN 1 ELSE 2 END, CASE WHEN d.due > now() THEN 1 ELSE 2 END, r.metadata, r.payload
	FROM `

// takeKeys claims the unique keys of the records in a relation r. A key is taken by whoever comes first; the others wait for that transaction, and then see whose
// it is. Keys are taken in their order, so that no two transactions wait for each other. most is -1 for a key that stands before in the same batch.
const takeKeys = `taken AS (
	INSERT INTO {}.keys AS k (queue, key, id, live, until)
	SELECT $1, r.uniq, r.id, true, now() + r.key_for * interval '1 microsecond' FROM r
	WHERE r.uniq IS NOT NULL AND r.most >= 0 AND NOT EXISTS (SELECT 1 FROM {}.tasks t WHERE t.queue = $1 AND t.id = r.id)
	ORDER BY r.uniq
	ON CONFLICT (queue, key) DO UPDATE SET id = excluded.id, live = true, until = excluded.until WHERE NOT k.live AND k.until <= now()
	RETURNING id) `

// inOrder follows it: the place of each is that among the records.
const inOrder = ` ORDER BY r.n ON CONFLICT (queue, id) DO NOTHING RETURNING id`

// dueOf says when a record r is due.
const dueOf = `, LATERAL (SELECT greatest(now(), CASE WHEN r.delay > 0 THEN now() + r.delay * interval '1 microsecond' ELSE coalesce(r.run_at, now()) END) AS due) d `

// How many rows there are of which kind changes faster than the server's statistics of a queue's table, so plans are not left to them. Rows that were just locked
// are reached by where they are (at), those named by an ID through its index (named), and whether a lease is alive is never a reason to look at all that are
// leased (alive).
const (
	at    = `t.ctid = ANY(ARRAY(`
	alive = `coalesce(t.leased_until, '-infinity') > now()`
)

// named and end stand around what is to hold for the rows t that belong to rows u with an ID, which are x. OFFSET keeps it a look-up for each.
const (
	named = ` CROSS JOIN LATERAL (SELECT t.ctid, t.id FROM {}.tasks t WHERE t.queue = $1 AND t.id = u.id `
	end   = ` OFFSET 0 FOR UPDATE) x`
)

// hand puts tasks under a new lease.
const hand = `UPDATE {}.tasks t SET state = CASE WHEN t.state = 5 THEN 5 ELSE 3 END, undo = t.state = 5, stand = 0, begun = true, lease = t.lease + 1,
		attempt = t.failed + 1, leased_until = clock_timestamp() + $3 * interval '1 microsecond' WHERE ` + at

// handed is what it gives: what a lease tells of a task.
const handed = `)) RETURNING ` + leaseColumns

// undoable says whether a task t keeps the record of an effect.
const undoable = `t.kept AND EXISTS (SELECT 1 FROM {}.checkpoints c WHERE c.queue = t.queue AND c.id = t.id AND c.path >= 'undo/' AND c.path < 'undo0')`

// changed is what a change w may change of a task t.
const changed = `state = w.state, stand = w.stand, due = w.due, seq = w.seq, leased_until = w.leased_until, attempt = w.attempt, failed = w.failed, undo = w.undo,
		begun = w.begun, cancelling = w.cancelling, ends_as = w.ends_as, cause = w.cause, ended = w.ended, kept = w.kept,
		failures = CASE WHEN w.note IS NULL THEN t.failures
			ELSE (CASE WHEN jsonb_array_length(coalesce(t.failures, '[]')) >= 100 THEN t.failures - 0 ELSE coalesce(t.failures, '[]') END) || w.note END`

const (
	addQueueSQL     = `INSERT INTO {}.queues (name) VALUES ($1) ON CONFLICT DO NOTHING`
	findQueueSQL    = `SELECT queue FROM {}.queues WHERE name = $1`
	insertSQL       = insertRecords + record + dueOf + inOrder
	insertUniqueSQL = `WITH r AS (SELECT * FROM ` + record + `), ` + takeKeys + insertRecords + "r" + dueOf + "WHERE r.uniq IS NULL OR r.id IN (SELECT id FROM taken)" + inOrder
	// One record, as arguments that every driver can send; whether it was added.
	insertOneSQL = `WITH r AS (SELECT $2::text AS id, $3::text AS kind, $4::text AS uniq, $5::text AS grp, $6::bigint AS delay, $7::timestamptz AS run_at, $8::int AS most,
			$9::smallint AS priority, $10::text AS metadata, $11::bytea AS payload, $12::bigint AS key_for, 1 AS n), ` + takeKeys + `, added AS (` +
		insertRecords + "r" + dueOf + "WHERE r.uniq IS NULL OR r.id IN (SELECT id FROM taken)" + inOrder + `) SELECT EXISTS (SELECT 1 FROM added)`
	roomLeftSQL = `SELECT $2::bigint > (SELECT count(*) FROM (SELECT 1 FROM {}.tasks WHERE queue = $1 AND state < 6 LIMIT $2) l)`
	holderSQL   = `SELECT coalesce((SELECT id FROM {}.keys WHERE queue = $1 AND key = $2), '')`
	holdersSQL  = `SELECT key, id FROM {}.keys WHERE queue = $1 AND key = ANY($2::text[])`
	roomSQL     = `SELECT greatest(0, $2::int - (SELECT count(*) FROM (SELECT 1 FROM {}.tasks WHERE queue = $1 AND state < 6 LIMIT $2) l))::int,
			(SELECT array_agg(id) FROM {}.tasks WHERE queue = $1 AND id = ANY($3::text[])),
			(SELECT array_agg(key) FROM {}.keys WHERE queue = $1 AND key = ANY($4::text[]) AND (live OR until > now()))`
	// What a receiver that found nothing, or the keeper, wants to know.
	lookSQL = `SELECT q.paused,
			EXISTS (SELECT 1 FROM {}.tasks WHERE queue = $1 AND stand = 2),
			EXISTS (SELECT 1 FROM {}.tasks WHERE queue = $1 AND stand = 2 AND grp IS NOT NULL)
			FROM {}.queues q WHERE q.queue = $1`
	claimSQL = hand + `
			SELECT ctid FROM {}.tasks WHERE queue = $1 AND stand = 2 AND grp IS NULL
			AND NOT EXISTS (SELECT 1 FROM {}.tasks WHERE queue = $1 AND stand = 2 AND grp IS NOT NULL)
			AND NOT EXISTS (SELECT 1 FROM {}.queues WHERE queue = $1 AND paused)
			ORDER BY priority DESC, due, seq LIMIT $2 FOR UPDATE SKIP LOCKED` + handed
	promoteSQL = `UPDATE {}.tasks t SET stand = 2, state = CASE WHEN t.state = 5 THEN 5 ELSE 2 END WHERE ` + at + `
			SELECT ctid FROM {}.tasks WHERE queue = $1 AND stand = 1 AND due <= now() ORDER BY due, seq LIMIT $2 FOR UPDATE SKIP LOCKED))`
	headsSQL  = `SELECT id, grp, begun FROM {}.tasks WHERE queue = $1 AND stand = 2 ORDER BY priority DESC, due, seq LIMIT $2 FOR UPDATE SKIP LOCKED`
	groupsSQL = `SELECT grp, count(*) FILTER (WHERE leased_until IS NOT NULL), count(*) FROM {}.tasks
			WHERE queue = $1 AND begun AND grp IS NOT NULL AND grp = ANY($2::text[]) GROUP BY grp`
	handSQL = hand + `SELECT x.ctid FROM unnest($2::text[]) AS u(id)` + named + end + handed
	parkSQL = `UPDATE {}.tasks SET stand = 3 WHERE queue = $1 AND id = ANY($2::text[])`
	// $3: whether the order is strict; $4: how many of a group may be leased.
	unparkSQL = `WITH g AS (
			SELECT grp, count(*) FILTER (WHERE leased_until IS NOT NULL) AS leased, count(*) AS begun FROM {}.tasks
			WHERE queue = $1 AND begun AND grp IS NOT NULL AND grp = ANY($2::text[]) GROUP BY grp)
			UPDATE {}.tasks t SET stand = 2 WHERE ` + at + `
				SELECT p.ctid FROM unnest($2::text[]) AS u(grp) LEFT JOIN g ON g.grp = u.grp CROSS JOIN LATERAL (
					SELECT ctid FROM {}.tasks WHERE queue = $1 AND stand = 3 AND grp = u.grp AND (NOT $3 OR begun OR coalesce(g.begun, 0) = 0)
					ORDER BY priority DESC, due, seq LIMIT greatest(0, $4::bigint - coalesce(g.leased, 0)) FOR UPDATE SKIP LOCKED) p))`
	runningSQL = `SELECT count(*) FROM {}.tasks WHERE queue = $1 AND leased_until IS NOT NULL`
	bucketSQL  = `SELECT least($2::float8, CASE WHEN filled IS NULL THEN $2::float8
			ELSE tokens + greatest(0, extract(epoch FROM clock_timestamp() - filled)::float8) * $3::float8 END) FROM {}.queues WHERE queue = $1`
	fillBucketSQL = `UPDATE {}.queues SET tokens = $2, filled = clock_timestamp() WHERE queue = $1`
	renewSQL      = `WITH w AS (SELECT x.id FROM (SELECT * FROM unnest($2::text[], $3::bigint[]) AS v(id, lease) ORDER BY v.id) u` + named + `AND t.lease = u.lease AND ` + alive + end + `)
			UPDATE {}.tasks t SET leased_until = clock_timestamp() + $4 * interval '1 microsecond' FROM w WHERE t.queue = $1 AND t.id = w.id RETURNING t.id, t.lease, t.cancelling`
	// The usual end of a task that nothing hangs on.
	finishSQL = `DELETE FROM {}.tasks t WHERE ` + at + `SELECT x.ctid FROM unnest($2::text[], $3::bigint[]) AS u(id, lease)` + named + `
			AND t.lease = u.lease AND t.state = 3 AND ` + alive + ` AND t.uniq IS NULL AND t.grp IS NULL AND NOT t.kept` + end + `)) RETURNING t.id`
	lockSQL = `SELECT ` + rowColumns + `, nextval('{}.place'), now(), ` + undoable + `
			FROM {}.tasks t WHERE t.queue = $1 AND t.id = ANY($2::text[]) ORDER BY t.id FOR UPDATE`
	writeSQL = `UPDATE {}.tasks t SET ` + changed + ` FROM unnest($2::text[], $3::smallint[], $4::smallint[], $5::timestamptz[], $6::bigint[], $7::timestamptz[],
			$8::int[], $9::int[], $10::bool[], $11::bool[], $12::bool[], $13::smallint[], $14::text[], $15::timestamptz[], $16::bool[], $17::jsonb[])
			AS w(id, state, stand, due, seq, leased_until, attempt, failed, undo, begun, cancelling, ends_as, cause, ended, kept, note)
			WHERE t.queue = $1 AND t.id = w.id`
	forgetSQL          = `DELETE FROM {}.tasks WHERE queue = $1 AND id = ANY($2::text[])`
	dropCheckpointsSQL = `DELETE FROM {}.checkpoints WHERE queue = $1 AND id = ANY($2::text[])`
	endKeysSQL         = `WITH w AS (SELECT k.key, k.until FROM {}.keys k JOIN unnest($2::text[], $3::text[]) AS u(key, id) ON k.key = u.key AND k.id = u.id
			WHERE k.queue = $1 ORDER BY k.key FOR UPDATE OF k),
			gone AS (DELETE FROM {}.keys k USING w WHERE k.queue = $1 AND k.key = w.key AND w.until <= now())
			UPDATE {}.keys k SET live = false FROM w WHERE k.queue = $1 AND k.key = w.key AND w.until > now()`
	takeKeySQL = `INSERT INTO {}.keys AS k (queue, key, id, live, until) VALUES ($1, $2, $3, true, now())
			ON CONFLICT (queue, key) DO UPDATE SET id = excluded.id, live = true, until = CASE WHEN k.id = excluded.id THEN k.until ELSE now() END
			WHERE k.id = excluded.id OR NOT k.live AND k.until <= now()`
	takenKeySQL       = `SELECT id FROM {}.keys WHERE queue = $1 AND key = $2`
	heldSQL           = `SELECT 1 FROM {}.tasks t WHERE queue = $1 AND id = $2 AND lease = $3 AND ` + alive
	saveCheckpointSQL = `WITH t AS (UPDATE {}.tasks t SET kept = true WHERE queue = $1 AND id = $2 AND lease = $3 AND ` + alive + ` RETURNING id)
			INSERT INTO {}.checkpoints (queue, id, path, value) SELECT $1, t.id, $4, $5 FROM t
			ON CONFLICT (queue, id, path) DO UPDATE SET value = excluded.value`
	loadCheckpointSQL = `SELECT c.value FROM {}.tasks t LEFT JOIN {}.checkpoints c ON c.queue = t.queue AND c.id = t.id AND c.path = $4
			WHERE t.queue = $1 AND t.id = $2 AND t.lease = $3 AND ` + alive
	listCheckpointsSQL   = `SELECT path FROM {}.checkpoints WHERE queue = $1 AND id = $2 AND starts_with(path, $3) ORDER BY path`
	forgetCheckpointsSQL = `DELETE FROM {}.checkpoints WHERE queue = $1 AND id = $2 AND starts_with(path, $3)`
	expiredSQL           = `SELECT id FROM {}.tasks WHERE queue = $1 AND leased_until <= now() ORDER BY leased_until LIMIT $2 FOR UPDATE SKIP LOCKED`
	endedDoneSQL         = `SELECT id FROM {}.tasks WHERE queue = $1 AND state = 6 AND ended <= now() - $2 * interval '1 microsecond'
			ORDER BY ended, seq LIMIT $3 FOR UPDATE SKIP LOCKED`
	endedDeadSQL = `SELECT id FROM {}.tasks WHERE queue = $1 AND state IN (7, 8) AND ended <= now() - $2 * interval '1 microsecond'
			ORDER BY ended, seq LIMIT $3 FOR UPDATE SKIP LOCKED`
	excessSQL    = `SELECT count(*) FROM {}.tasks WHERE queue = $1 AND state IN (7, 8)`
	sweepKeysSQL = `DELETE FROM {}.keys k USING (SELECT key FROM {}.keys WHERE queue = $1 AND NOT live AND until <= now() LIMIT $2 FOR UPDATE SKIP LOCKED) w
			WHERE k.queue = $1 AND k.key = w.key`
	// How long until something happens by itself.
	alarmSQL = `SELECT extract(epoch FROM least(
			(SELECT min(due) FROM {}.tasks WHERE queue = $1 AND stand = 1),
			(SELECT min(leased_until) FROM {}.tasks WHERE queue = $1 AND leased_until IS NOT NULL)) - clock_timestamp())::float8`
	statsSQL = `SELECT q.paused, coalesce(extract(epoch FROM clock_timestamp() - s.oldest)::float8, 0), s.states, s.counts FROM {}.queues q CROSS JOIN (
			SELECT min(oldest) AS oldest, array_agg(state ORDER BY state) AS states, array_agg(n ORDER BY state) AS counts FROM (
				SELECT state, count(*) AS n, min(due) FILTER (WHERE state = 2) AS oldest FROM {}.tasks WHERE queue = $1 GROUP BY state) c) s WHERE q.queue = $1`
	pausedSQL = `SELECT paused FROM {}.queues WHERE queue = $1`
	taskSQL   = `SELECT ` + rowColumns + `, t.failures, t.payload FROM {}.tasks t WHERE t.queue = $1 AND t.id = $2`
	tasksSQL  = `SELECT ` + rowColumns + `, t.failures -> -1 FROM {}.tasks t
			WHERE t.queue = $1 AND ($2 = '' OR t.id < $2) AND (cardinality($3::smallint[]) = 0 OR t.state = ANY($3)) ORDER BY t.id DESC LIMIT $4`
	pauseSQL          = `UPDATE {}.queues SET paused = $2 WHERE queue = $1 AND paused <> $2`
	selectedStatesSQL = `SELECT id FROM {}.tasks WHERE queue = $1 AND state = ANY($2::smallint[]) AND id > $3 ORDER BY id LIMIT $4`
)

package shop

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

const (
	// turnPause is how long Store waits for an earlier mail before it gives its place to other work. Usually that mail is at hand in another
	// slot and decided within milliseconds.
	turnPause = 200 * time.Millisecond
	// turnLimit is how long one mail that is not done with holds up the later ones of its sender or content.
	turnLimit = time.Minute
)

// turns keeps which mails hold up others. It lives in memory: after a restart each has its full time again.
type turns struct {
	mu      sync.Mutex
	holding map[int64]time.Time // arrivals that hold up others, and since when
	change  chan struct{}       // closed when the next one is done with
}

func newTurns() *turns { return &turns{holding: map[int64]time.Time{}, change: make(chan struct{})} }

// next is closed when the next one is decided or has left.
func (t *turns) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.change
}

// done wakes all who wait.
func (t *turns) done(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.holding, seq)
	close(t.change)
	t.change = make(chan struct{})
}

// holds says whether an arrival may still hold up others.
func (t *turns) holds(seq int64, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	since, ok := t.holding[seq]
	if !ok {
		t.holding[seq], since = now, now
	}
	return now.Sub(since) < turnLimit
}

// checkTurn returns ErrEarlierMail while an earlier arrival of the sender, or of the content, is undecided and in the inbox, or one of the content is on its way
// to Review.
func (s *Shop) checkTurn(ctx context.Context, tx *sql.Tx, a arrival) error {
	rows, err := tx.QueryContext(ctx, `SELECT a.seq, a.uid FROM arrivals a JOIN mails m ON m.seq = a.mail
		WHERE a.account = ? AND a.left_at IS NULL AND a.seq < ? AND
			(a.mail = ? AND (a.folder IS NULL OR a.folder = ?) OR a.folder IS NULL AND m.sender = ? AND m.sender <> '') ORDER BY a.seq`,
		s.cfg.Account, a.seq, a.mail, domain.FolderReview, a.sender)
	type earlier struct {
		seq int64
		uid uint32
	}
	all, err := collect(rows, err, func(rows *sql.Rows, e *earlier) error { return rows.Scan(&e.seq, &e.uid) })
	if err != nil {
		return err
	}
	for _, e := range all {
		if s.turns.holds(e.seq, s.now()) {
			return fmt.Errorf("mail %d: %w", e.uid, ErrEarlierMail)
		}
	}
	return nil
}

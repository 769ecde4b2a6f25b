package shop

import (
	"context"
	"database/sql"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// Entry is one arrival and what became of it.
type Entry struct {
	Number    int64 // in the order of arrival
	UID       uint32
	SHA256    string // of the content
	Sender    string // "" when it cannot be read
	Subject   string
	Folder    domain.Folder // "" while undecided
	Reason    string
	Left      bool           // the inbox: moved to Folder or, without one, taken out by others
	Duplicate bool           // decided by another arrival of the same content
	Answered  bool           // an answer was sent
	Unsent    string         // why an answer is never sent, "" when nothing is wrong
	Orders    []domain.Order // taken by this arrival
}

// Ledger gives the arrivals that were in the inbox at or after since, in their order.
func (s *Shop) Ledger(ctx context.Context, since time.Time) ([]Entry, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT a.seq, a.uid, m.sha256, m.sender, a.subject, coalesce(a.folder, ''), coalesce(a.reason, ''),
			a.left_at IS NOT NULL, a.duplicate, x.sent_at IS NOT NULL, coalesce(x.failure, '')
		FROM arrivals a JOIN mails m ON m.seq = a.mail LEFT JOIN outbox x ON x.arrival = a.seq
		WHERE a.account = ? AND (a.left_at IS NULL OR a.left_at >= ?) ORDER BY a.seq`, s.cfg.Account, since.UnixMilli())
	entries, err := collect(rows, err, func(rows *sql.Rows, e *Entry) error {
		return rows.Scan(&e.Number, &e.UID, &e.SHA256, &e.Sender, &e.Subject, &e.Folder, &e.Reason, &e.Left, &e.Duplicate, &e.Answered, &e.Unsent)
	})
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Orders, err = orders(ctx, s.db, `o.arrival = ?`, entries[i].Number); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

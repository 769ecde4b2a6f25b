package shop

import (
	"context"
	"time"

	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// SetClock replaces the clock.
func (s *Shop) SetClock(now func() time.Time) { s.now = now }

// Fold is fold.
func Fold(s string) string { return fold(s) }

// Raw counts the contents whose bytes are kept.
func (s *Shop) Raw() (n int, err error) {
	return n, s.db.QueryRow(`SELECT count(*) FROM mails WHERE raw IS NOT NULL`).Scan(&n)
}

// TurnLimit is turnLimit.
const TurnLimit = turnLimit

// SearchLimit is searchLimit.
const SearchLimit = searchLimit

// Exec changes the store behind the shop's back.
func (s *Shop) Exec(query string) error {
	_, err := s.db.Exec(query)
	return err
}

// SettleDepartures is what Search does with a list.
func (s *Shop) SettleDepartures(ctx context.Context, items []mailbox.Item) error {
	return s.settleDepartures(ctx, items, true)
}

// Package shop holds the business rules of the example. It knows nothing of the platform.
package shop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Order is what a customer sends.
type Order struct {
	ID       string
	Customer string
	Kind     Kind
	Lines    []Line
}

// Kind decides which way an order goes.
type Kind string

// The kinds of orders.
const (
	Retail    Kind = "retail"
	Wholesale Kind = "wholesale"
)

// Line is a position of an order.
type Line struct {
	SKU      string
	Quantity int
}

// Offer is an order with prices, in cents.
type Offer struct {
	Order
	Total int
}

// Priced is a line with its price, of goods that are there.
type Priced struct {
	Line
	Cents int
}

// Contract is what was agreed with a wholesale customer.
type Contract struct {
	Order
	Discount int // per cent
}

// Shop keeps everything in memory. It is safe for concurrent use.
type Shop struct {
	mu        sync.Mutex
	prices    map[string]int
	stock     map[string]int
	contracts map[string]int
	addresses map[string]string
	busy      int // how often the mail server refuses still
	inserts   int // statements, not rows
	released  int
	outcomes  map[string]string
}

// opening is what is in stock at first.
var opening = map[string]int{"pen": 500, "ink": 10, "lamp": 1}

// New makes a shop with a few goods and customers.
func New() *Shop {
	return &Shop{
		prices:    map[string]int{"pen": 150, "ink": 990, "lamp": 4900},
		stock:     maps.Clone(opening),
		contracts: map[string]int{"office-gmbh": 20},
		addresses: map[string]string{"ada": "ada@example.org", "bob": "bob@example.org", "office-gmbh": "buying@office.example"},
		busy:      1,
		outcomes:  map[string]string{},
	}
}

// ErrUnknown says that something is not in the books: no retry can help.
var ErrUnknown = errors.New("unknown")

// ErrSoldOut says that there is not enough of something.
var ErrSoldOut = errors.New("not in stock")

// ErrBusy says that the mail server does not want to be disturbed.
var ErrBusy = errors.New("the mail server is busy")

// Check says what is wrong with an order.
func (s *Shop) Check(_ context.Context, o Order) error {
	if len(o.Lines) == 0 {
		return errors.New("it has no lines")
	}
	for _, l := range o.Lines {
		if l.Quantity < 1 {
			return fmt.Errorf("%d × %s is not a quantity", l.Quantity, l.SKU)
		}
	}
	return nil
}

// Refuse tells the customer that an order cannot be worked on.
func (s *Shop) Refuse(_ context.Context, o Order, reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes[o.ID] = "refused: " + reason.Error()
	return nil
}

// Price looks up the price of a line.
func (s *Shop) Price(_ context.Context, l Line) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cents, ok := s.prices[l.SKU]
	if !ok {
		return 0, fmt.Errorf("goods %q: %w", l.SKU, ErrUnknown)
	}
	return cents * l.Quantity, nil
}

// InStock looks whether there is enough.
func (s *Shop) InStock(_ context.Context, l Line) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stock[l.SKU] >= l.Quantity, nil
}

// Quote merges what was found out about a line.
func Quote(_ context.Context, l Line, cents int, there bool) (Priced, error) {
	if !there {
		return Priced{}, fmt.Errorf("%d × %s: %w", l.Quantity, l.SKU, ErrSoldOut)
	}
	return Priced{l, cents}, nil
}

// Shipping is what sending an order costs.
func (s *Shop) Shipping(context.Context, Order) (int, error) { return 490, nil }

// Sum merges what was found out about an order.
func Sum(_ context.Context, o Order, lines []Priced, shipping int) (Offer, error) {
	total := shipping
	for _, l := range lines {
		total += l.Cents
	}
	return Offer{o, total}, nil
}

// Contract finds the contract of a wholesale customer.
func (s *Shop) Contract(_ context.Context, o Order) (Contract, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	discount, ok := s.contracts[o.Customer]
	if !ok {
		return Contract{}, fmt.Errorf("contract of %s: %w", o.Customer, ErrUnknown)
	}
	return Contract{o, discount}, nil
}

// Discount prices an order by its contract.
func (s *Shop) Discount(ctx context.Context, c Contract) (Offer, error) {
	total := 0
	for _, l := range c.Lines {
		cents, err := s.Price(ctx, l)
		if err != nil {
			return Offer{}, err
		}
		total += cents
	}
	return Offer{c.Order, total - total*c.Discount/100}, nil
}

// Reserve takes the goods of an offer from the stock.
func (s *Shop) Reserve(_ context.Context, o Offer) (Offer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range o.Lines {
		s.stock[l.SKU] -= l.Quantity
	}
	return o, nil
}

// Release puts them back.
func (s *Shop) Release(_ context.Context, o, _ Offer, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range o.Lines {
		s.stock[l.SKU] += l.Quantity
	}
	s.released++
	s.outcomes[o.ID] = "undone: " + cause.Error()
	return nil
}

// Insert writes several offers into the books at once.
func (s *Shop) Insert(_ context.Context, offers []Offer) ([]Offer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inserts++
	return offers, nil
}

// Confirm writes to the customer.
func (s *Shop) Confirm(_ context.Context, o Offer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	address, ok := s.addresses[o.Customer]
	if !ok {
		return fmt.Errorf("address of %s: %w", o.Customer, ErrUnknown)
	}
	if s.busy > 0 {
		s.busy--
		return ErrBusy
	}
	s.outcomes[o.ID] = fmt.Sprintf("confirmed to %s: %d.%02d", address, o.Total/100, o.Total%100)
	return nil
}

// Report is what became of the orders, a line each, and what is in stock.
func (s *Shop) Report() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := make([]string, 0, len(s.outcomes)+1)
	for id, outcome := range s.outcomes {
		lines = append(lines, id+" "+outcome)
	}
	slices.Sort(lines)
	return append(lines,
		fmt.Sprintf("in stock: %d pens, %d bottles of ink, %d lamps", s.stock["pen"], s.stock["ink"], s.stock["lamp"]),
		fmt.Sprintf("%d statements wrote the books, %d reservations were released", s.inserts, s.released))
}

// Sold is what is missing from the stock of goods.
func (s *Shop) Sold(sku string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return opening[sku] - s.stock[sku]
}

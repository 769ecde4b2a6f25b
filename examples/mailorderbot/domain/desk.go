package domain

import "cmp"

// DefaultMaxMailBytes is the largest mail that is read when Policy.MaxMailBytes is zero: 25 MB.
const DefaultMaxMailBytes int64 = 25 << 20

// Policy is what the owner of the inbox may decide.
type Policy struct {
	OwnAddress   string // the inbox' own address: mail from it is never an order
	AuthservID   string // the server whose Authentication-Results count; "" trusts none, so that every mail goes to Review
	MaxMailBytes int64  // in bytes; 0: DefaultMaxMailBytes
	Partial      bool   // take the good lines of an order and name the others; false: one bad line sends the mail to Review
}

// Desk turns mails into decisions. It holds no state that changes and is safe for concurrent use.
type Desk struct {
	catalogue Catalogue
	customers Customers
	policy    Policy
}

// NewDesk returns a desk for one inbox.
func NewDesk(catalogue Catalogue, customers Customers, policy Policy) *Desk {
	policy.MaxMailBytes = cmp.Or(policy.MaxMailBytes, DefaultMaxMailBytes)
	return &Desk{catalogue: catalogue, customers: customers, policy: policy}
}

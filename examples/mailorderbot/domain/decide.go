package domain

import "fmt"

// reasonUndecided stands where no file said anything; Parse never lets it come to that.
const reasonUndecided = "nothing could be read from the mail"

// Decide makes one decision of what a mail's files say. It is all or nothing: one file that cannot be taken keeps the
// others from being ordered. The mail is rejected only when every file is; as soon as something in it may be an order,
// somebody looks at it.
func (d *Desk) Decide(sheets []Sheet) Decision {
	if len(sheets) == 0 {
		return Decision{Folder: FolderReview, Reason: reasonUndecided}
	}
	out := Decision{Mail: sheets[0].Mail}
	if v := sheets[0].Verdict; v != nil && len(sheets) == 1 {
		out.Folder, out.Reason, out.Answer = v.Folder, v.Reason, v.Answer
		return out
	}
	var faults, notes []string
	rejected := 0
	for _, s := range sheets {
		switch {
		case s.Verdict != nil:
			faults = append(faults, s.Verdict.Reason)
			if s.Verdict.Folder == FolderRejected {
				rejected++
			}
		case s.Order != nil:
			var note, fault string
			if out.Orders, note, fault = addOrder(out.Orders, *s.Order); fault != "" {
				faults = append(faults, fault)
			}
			if note != "" {
				notes = append(notes, note)
			}
			notes = append(notes, s.Notes...)
		}
	}
	switch {
	case len(faults) > 0 && rejected == len(sheets):
		out.Folder, out.Answer = FolderRejected, AnswerRejected
	case len(faults) > 0 || len(out.Orders) == 0:
		out.Folder = FolderReview
	default:
		out.Folder, out.Answer, out.Reason = FolderProcessed, AnswerConfirm, joinFaults(notes)
		return out
	}
	out.Orders, out.Reason = nil, joinFaults(faults)
	if out.Reason == "" {
		out.Reason = reasonUndecided
	}
	return out
}

// addOrder adds an order to those of the same mail. The same order in two formats counts once.
func addOrder(orders []Order, o Order) (all []Order, note, fault string) {
	for _, other := range orders {
		switch {
		case !o.SamePO(other):
		case o.SameLines(other):
			return orders, fmt.Sprintf("%s repeats %s", o.File, other.File), ""
		default:
			return orders, "", fmt.Sprintf("%s and %s have different lines under purchase order %s", other.File, o.File, o.PO)
		}
	}
	return append(orders, o), "", ""
}

// Against compares a decision with the orders that were taken before, among which only those of the same customer under
// the same purchase-order numbers matter. An order that is known with the same lines is not taken again: its number
// goes to Repeats. One that is known with other lines sends the whole mail to Review. The store calls it in the
// transaction that would add the orders.
func (d Decision) Against(known []Order) Decision {
	var fresh []Order
	var repeats, conflicts []string
	for _, o := range d.Orders {
		old, found := lookup(known, o)
		switch {
		case !found:
			fresh = append(fresh, o)
		case old.SameLines(o):
			repeats = append(repeats, o.PO)
		default:
			conflicts = append(conflicts, fmt.Sprintf("purchase order %s was received before with other lines", o.PO))
		}
	}
	switch {
	case len(conflicts) > 0:
		d.Folder, d.Answer, d.Reason, d.Orders = FolderReview, AnswerNone, joinFaults(conflicts), nil
	case len(repeats) > 0:
		notes := make([]string, 0, len(repeats)+1)
		for _, po := range repeats {
			notes = append(notes, fmt.Sprintf("purchase order %s was already received", po))
		}
		if d.Reason != "" {
			notes = append(notes, d.Reason)
		}
		d.Orders, d.Repeats, d.Reason = fresh, repeats, joinFaults(notes)
		if len(fresh) == 0 {
			d.Answer = AnswerAlreadyReceived
		}
	}
	return d
}

func lookup(known []Order, o Order) (Order, bool) {
	for _, k := range known {
		if k.SamePO(o) {
			return k, true
		}
	}
	return Order{}, false
}

package fsm_test

import (
	"errors"
	"fmt"

	"github.com/plba/plba/fsm"
)

type (
	OrderState string
	OrderEvent string
)

var orders = fsm.MustNew[OrderState, OrderEvent]("order", "new",
	fsm.Edge[OrderState, OrderEvent]{Event: "pay", From: []OrderState{"new"}, To: "paid"},
	fsm.Edge[OrderState, OrderEvent]{Event: "ship", From: []OrderState{"paid"}, To: "shipped"},
	fsm.Edge[OrderState, OrderEvent]{Event: "cancel", From: []OrderState{"new", "paid"}, To: "cancelled"},
)

// A machine keeps the state in memory and tells of its moves.
func ExampleTable_Machine() {
	m := orders.Machine(func(t fsm.Transition[OrderState, OrderEvent]) {
		fmt.Printf("%s: %s, %s -> %s, because: %v\n", t.Machine, t.Event, t.From, t.To, t.Cause)
	})
	_ = m.Fire("pay", errors.New("transfer arrived"))
	_ = m.Fire("cancel", errors.New("out of stock"))
	fmt.Println(m.Fire("ship", nil))
	// Output:
	// order: pay, new -> paid, because: transfer arrived
	// order: cancel, paid -> cancelled, because: out of stock
	// order: event "ship" is not allowed in state "cancelled" (allowed: none)
}

// An order that lives in a database needs no machine: its row holds the state.
func ExampleTable_Next() {
	row := struct{ State OrderState }{State: "paid"}

	next, err := orders.Next(row.State, "ship")
	fmt.Println(next, err)

	_, err = orders.Next(row.State, "pay")
	if refused, ok := errors.AsType[*fsm.TransitionError](err); ok {
		fmt.Println("from", refused.State, "only", refused.Allowed)
	}
	// Output:
	// shipped <nil>
	// from paid only [ship cancel]
}

// All that is wrong with a table is said at once.
func ExampleNew() {
	_, err := fsm.New[OrderState, OrderEvent]("order", "new",
		fsm.Edge[OrderState, OrderEvent]{Event: "pay", From: []OrderState{"new"}, To: "paid"},
		fsm.Edge[OrderState, OrderEvent]{Event: "pay", From: []OrderState{"new"}, To: "open"},
		fsm.Edge[OrderState, OrderEvent]{Event: "ship", From: []OrderState{"payed"}, To: "shipped"},
	)
	fmt.Println(err)
	// Output:
	// fsm: table "order" has 3 faults:
	// 	event "pay" is ambiguous in state "new": it leads to "paid" and to "open"
	// 	state "payed" cannot be reached from the initial state "new"
	// 	state "shipped" cannot be reached from the initial state "new"
}

func ExampleTable_Mermaid() {
	fmt.Print(orders.Mermaid())
	// Output:
	// stateDiagram-v2
	//     [*] --> new
	//     new --> paid : pay
	//     paid --> shipped : ship
	//     new --> cancelled : cancel
	//     paid --> cancelled : cancel
	//     shipped --> [*]
	//     cancelled --> [*]
}

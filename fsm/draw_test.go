package fsm_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/plba/plba/fsm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The drawings are golden files: a changed table or a changed way of drawing
// shows as a changed picture.
func TestDrawings(t *testing.T) {
	tables := map[string]*fsm.Table[state, event]{
		"worker": lifecycle(),
		// Final states, a move to itself, and names that need quoting.
		"order": fsm.MustNew("order", "new",
			edge{Event: "pay", From: from("new"), To: "paid"},
			edge{Event: "pay; in part: #1", From: from("new", "part-paid"), To: "part-paid"},
			edge{Event: "pay", From: from("part-paid"), To: "paid"},
			edge{Event: `say "no"`, From: from("new", "part-paid"), To: "end"},
			edge{Event: `50% \ off`, From: from("new"), To: `an "odd" state`},
			edge{Event: "send <parcel>", From: from("paid"), To: "unterwegs für immer"},
			edge{Event: "park", From: from("paid"), To: "state_1"},
		),
	}
	for name, table := range tables {
		golden(t, name+".mermaid", table.Mermaid())
		golden(t, name+".dot", table.DOT())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./fsm -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (go test ./fsm -update accepts it):\n%s\nwant:\n%s", path, got, want)
	}
}

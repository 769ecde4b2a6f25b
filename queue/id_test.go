package queue

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIDsAreUUIDs(t *testing.T) {
	before := time.Now()
	for range 1000 {
		text := newID()
		id, err := uuid.Parse(text)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() != text {
			t.Fatalf("%s: %v, version %d, variant %s", text, err, id.Version(), id.Variant())
		}
		sec, nsec := id.Time().UnixTime()
		if at := time.Unix(sec, nsec); at.Before(before.Add(-2*time.Millisecond)) || at.After(time.Now().Add(time.Second)) {
			t.Fatalf("%s is of %s, it was made now, at %s", text, at, before)
		}
	}
	if got := formatID(0x123456789abc<<12|0xdef, ^uint64(0)); got != "12345678-9abc-7def-bfff-ffffffffffff" {
		t.Errorf("formatted as %s", got)
	}
	if got := formatID(0, 0); got != "00000000-0000-7000-8000-000000000000" {
		t.Errorf("formatted as %s", got)
	}
}

// Also within a tick, and from several goroutines.
func TestIDsGrow(t *testing.T) {
	const each = 5000
	made := make(chan []string)
	for range 4 {
		go func() {
			ids := make([]string, each)
			for i := range ids {
				ids[i] = newID()
			}
			made <- ids
		}()
	}
	seen := map[string]bool{}
	for range 4 {
		ids := <-made
		if !slices.IsSorted(ids) {
			t.Error("the IDs of one goroutine do not grow")
		}
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != 4*each {
		t.Errorf("%d different IDs, made were %d", len(seen), 4*each)
	}
}

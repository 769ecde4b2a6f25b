package queue

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIDsAreUUIDs(t *testing.T) {
	before := time.Now()
	var ids idMaker
	for range 1000 {
		text := ids.make(time.Now())
		id, err := uuid.Parse(text)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() != text {
			t.Fatalf("%s: %v, version %d, variant %s", text, err, id.Version(), id.Variant())
		}
		sec, nsec := id.Time().UnixTime()
		if at := time.Unix(sec, nsec); at.Before(before.Add(-2*time.Millisecond)) || at.After(time.Now().Add(time.Second)) {
			t.Fatalf("%s is of %s, it was made now, at %s", text, at, before)
		}
	}
	for want, got := range map[string][idLength]byte{
		"12345678-9abc-7def-bfff-ffffffffffff": formatID(0x123456789abc<<18|0xdef<<6|0x3f, ^uint64(0)),
		"01020304-0506-7070-8109-0a0b0c0d0e0f": formatID(0x010203040506<<18|0x070<<6|0x01, 0x090a0b0c0d0e0f<<8),
		"00000000-0000-7000-8000-000000000000": formatID(0, 0),
	} {
		if string(got[:]) != want {
			t.Errorf("formatted as %s, want %s", got, want)
		}
	}
}

// Also within a tick, and from several goroutines.
func TestIDsGrow(t *testing.T) {
	const each = 5000
	made := make(chan []string)
	for range 4 {
		go func() {
			ids, maker := make([]string, each), new(idMaker)
			for i := range ids {
				ids[i] = maker.make(time.Now())
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

package sqlite

import (
	"os"
	"testing"
)

// A file that is refused is closed again: a program that tries to start for hours must not run out of descriptors.
func TestRefusedFileIsClosed(t *testing.T) {
	inMemory(t)
	data := read(t, filled(t))
	opened := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before, refused := opened(), 0
	for at := 0; at < len(data); at += len(data) / 40 {
		damaged := append([]byte(nil), data...)
		damaged[at] ^= 1
		if _, err := contents(t.Context(), copied(t, damaged)); err != nil {
			refused++
		}
	}
	if after := opened(); refused < 10 || after != before {
		t.Errorf("%d files were refused; %d descriptors are open, %d were before", refused, after, before)
	}
}

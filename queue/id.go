package queue

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/google/uuid"
)

// newID returns a task ID: a UUID of version 7, so IDs sort by the time of publishing.
func newID() string {
	id, err := uuid.NewV7FromReader(entropy{})
	if err != nil {
		panic("queue: entropy never fails: " + err.Error())
	}
	return id.String()
}

// entropy reads the runtime's own generator, seeded by the system. IDs have to be unique, not secret, and this takes neither
// a lock nor a system call.
type entropy struct{}

func (entropy) Read(p []byte) (int, error) {
	var word [8]byte
	for n := 0; n < len(p); n += 8 {
		binary.LittleEndian.PutUint64(word[:], rand.Uint64())
		copy(p[n:], word[:])
	}
	return len(p), nil
}

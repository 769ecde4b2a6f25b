package queue

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// lastID is the instant of the last ID, in ticks of 1/4096 ms. It is shared by all queues, so that the IDs of a process grow.
var lastID atomic.Int64

// newID returns a task ID: a UUID of version 7 (RFC 9562, with the fraction of a millisecond in the twelve bits after the version), so IDs
// sort by the time of publishing, also within a millisecond. The rest is from the runtime's own generator, seeded by the system: IDs have to be unique, not
// secret, and this takes neither a lock nor a system call.
func newID() string {
	now := time.Now()
	tick := now.UnixMilli()<<12 | int64(now.Nanosecond()%1e6)<<12/1e6
	for {
		last := lastID.Load()
		if tick <= last {
			tick = last + 1
		}
		if lastID.CompareAndSwap(last, tick) {
			return formatID(uint64(tick), rand.Uint64())
		}
	}
}

func formatID(tick, random uint64) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], tick>>12<<16|7<<12|tick&0xfff)
	binary.BigEndian.PutUint64(id[8:], 2<<62|random>>2)
	text := [36]byte{8: '-', 13: '-', 18: '-', 23: '-'}
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:], id[4:6])
	hex.Encode(text[14:], id[6:8])
	hex.Encode(text[19:], id[8:10])
	hex.Encode(text[24:], id[10:])
	return string(text[:])
}

package queue

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// lastID is the instant of the last ID, in ticks of 2⁻¹⁸ ms, which is some 4 ns. It is shared by all queues, so that the IDs of a process grow.
var lastID atomic.Int64

// idMaker makes task IDs. The text of several is allocated at once. The zero value is ready; it is not safe for concurrent use.
type idMaker struct{ text strings.Builder }

const (
	idLength  = 36
	idsAtOnce = 16
)

// make returns a task ID: a UUID of version 7 (RFC 9562, with the fraction of a millisecond in the twelve bits after the version and the six after the variant), so
// IDs sort by the time of publishing, also within a millisecond. now is the present. The rest is from the runtime's own generator, seeded by the system:
// IDs have to be unique, not secret, and this takes neither a lock nor a system call.
func (m *idMaker) make(now time.Time) string {
	tick := now.UnixMilli()<<18 | int64(now.Nanosecond()%1e6)<<18/1e6
	for {
		last := lastID.Load()
		if tick <= last {
			tick = last + 1
		}
		if lastID.CompareAndSwap(last, tick) {
			break
		}
	}
	text := formatID(uint64(tick), rand.Uint64())
	if m.text.Cap()-m.text.Len() < idLength {
		m.text.Reset()
		m.text.Grow(idsAtOnce * idLength)
	}
	m.text.Write(text[:])
	return m.text.String()[m.text.Len()-idLength:]
}

func formatID(tick, random uint64) (text [idLength]byte) {
	high := tick>>18<<16 | 7<<12 | tick>>6&0xfff
	low := 2<<62 | tick&0x3f<<56 | random>>8
	put := func(at int, two uint64) { binary.LittleEndian.PutUint16(text[at:], hexPairs[two&0xff]) }
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	put(0, high>>56)
	put(2, high>>48)
	put(4, high>>40)
	put(6, high>>32)
	put(9, high>>24)
	put(11, high>>16)
	put(14, high>>8)
	put(16, high)
	put(19, low>>56)
	put(21, low>>48)
	put(24, low>>40)
	put(26, low>>32)
	put(28, low>>24)
	put(30, low>>16)
	put(32, low>>8)
	put(34, low)
	return text
}

// hexPairs are the two digits of each byte.
var hexPairs = func() (pairs [256]uint16) {
	const digits = "0123456789abcdef"
	for i := range pairs {
		pairs[i] = uint16(digits[i>>4]) | uint16(digits[i&15])<<8
	}
	return pairs
}()

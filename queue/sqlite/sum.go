package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf is the checksum of a row: over the values of its columns in their order, with their lengths, so that nothing can move from one to the next. It finds
// every flipped bit, and every burst of up to 32.
func sumOf(values ...driver.Value) int64 {
	var s summer
	for _, v := range values {
		s.add(v)
	}
	return int64(s.crc)
}

type summer struct{ crc uint32 }

func (s *summer) add(v driver.Value) {
	switch v := v.(type) {
	case nil:
		s.number('n', 0)
	case int64:
		s.number('i', uint64(v))
	case string:
		s.number('t', uint64(len(v)))
		s.crc = crc32.Update(s.crc, castagnoli, []byte(v))
	case []byte:
		s.number('b', uint64(len(v)))
		s.crc = crc32.Update(s.crc, castagnoli, v)
	}
}

func (s *summer) number(kind byte, n uint64) {
	var head [9]byte
	head[0] = kind
	binary.LittleEndian.PutUint64(head[1:], n)
	s.crc = crc32.Update(s.crc, castagnoli, head[:])
}

package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// The write-ahead log of SQLite: a header of 32 bytes, then frames, each of them a header of 24 bytes and a page. Every frame carries the salts of the log's
// header and a checksum over everything before it; one that ends a transaction says so.
//
// SQLite takes the log to end at the first frame that does not fit. After a power cut that is right, because what follows was never synced. After a flipped bit
// it would silently drop what was acknowledged. The two can be told apart: a transaction is written only after the one before it was synced. So a log that
// does not fit in the middle, but has whole transactions of its own behind that, is damaged.
const (
	walHeader      = 32
	walFrameHeader = 24
	walMagic       = 0x377f0682 // the lowest bit says that checksums are big-endian
)

// checkLog refuses a damaged write-ahead log. used says whether there is anything in it.
func checkLog(path string) (used bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	return info.Size() > walHeader, scanLog(f, info.Size())
}

// scanLog reads the log once, from its beginning to its end.
func scanLog(r io.Reader, size int64) error {
	header := make([]byte, walHeader)
	if size <= walHeader {
		return nil // nothing was ever committed to it
	}
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	l, ok := newLogScan(header)
	if !ok {
		return fmt.Errorf("%w: the header of its write-ahead log does not fit", ErrDamaged)
	}
	frame := make([]byte, walFrameHeader+l.page)
	for n := int64(1); ; n++ {
		_, err := io.ReadFull(r, frame)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if l.add(frame); l.damaged {
			return fmt.Errorf("%w: frame %d of its write-ahead log does not fit, and later transactions follow", ErrDamaged, l.valid+1)
		}
	}
}

// logScan is what is known of a log so far.
type logScan struct {
	page    int
	order   binary.ByteOrder // of checksums
	salts   []byte
	sum     [2]uint32
	valid   int64 // frames that fit, from the first on
	broken  bool  // one did not
	ended   bool  // behind it, a transaction ended
	damaged bool  // and another one began
}

func newLogScan(header []byte) (*logScan, bool) {
	magic := binary.BigEndian.Uint32(header)
	if magic&^1 != walMagic {
		return nil, false
	}
	l := &logScan{order: binary.LittleEndian, page: int(binary.BigEndian.Uint32(header[8:])), salts: header[16:24]}
	if magic&1 == 1 {
		l.order = binary.BigEndian
	}
	l.add32(header[:24])
	return l, l.fits(header[24:]) && l.page >= 512 && l.page <= 65536
}

// add looks at the next frame.
func (l *logScan) add(frame []byte) {
	// A frame of an earlier log has both salts different. One of ours with a flipped bit in one of them still has the other.
	first, second := bytes.Equal(frame[8:12], l.salts[:4]), bytes.Equal(frame[12:16], l.salts[4:])
	if !l.broken {
		l.add32(frame[:8])
		l.add32(frame[walFrameHeader:])
		if first && second && l.fits(frame[16:24]) {
			l.valid++
			return
		}
		l.broken = true
	}
	if !first && !second {
		return
	}
	l.damaged = l.ended
	l.ended = l.ended || binary.BigEndian.Uint32(frame[4:]) != 0
}

// add32 adds to the checksum.
func (l *logScan) add32(data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		l.sum[0] += l.order.Uint32(data) + l.sum[1]
		l.sum[1] += l.order.Uint32(data[4:]) + l.sum[0]
	}
}

func (l *logScan) fits(sum []byte) bool {
	return binary.BigEndian.Uint32(sum) == l.sum[0] && binary.BigEndian.Uint32(sum[4:]) == l.sum[1]
}

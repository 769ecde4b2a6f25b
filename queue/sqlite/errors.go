package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrDamaged: the file is not what was written: a bit was flipped, a part is cut off, or it is no database of queues at all. Opening it is refused,
	// so that nothing of it is lost silently; restore a backup, or rescue what can be read (see docs/operations/sqlite.md). In a file that is open,
	// nothing is handed out any more.
	ErrDamaged = errors.New("damaged")
	// ErrNewer: a newer version of this package wrote the file; this one would not understand it.
	ErrNewer = errors.New("written by a newer version of the program")
	// ErrNoSpace: the disk is full. Nothing was changed; reading goes on, and so does everything else once there is room.
	ErrNoSpace = errors.New("no space left for the database")
)

// fileError is an error that has been explained.
type fileError struct {
	text string
	err  error
}

func (e *fileError) Error() string { return e.text }
func (e *fileError) Unwrap() error { return e.err }

// explain makes an error that concerns the file say which one, and what to do. Others, and those that say so already, stay as they are.
func explain(path string, err error) error {
	if _, ok := errors.AsType[*fileError](err); err == nil || ok {
		return err
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	switch {
	case errors.Is(err, ErrDamaged):
		return damagedFile(path, err)
	case errors.Is(err, ErrNewer):
		return &fileError{fmt.Sprintf("%s is %v: use that version, or another path", path, err), err}
	case !ok:
		return err
	}
	switch code := e.Code(); {
	case code&0xff == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_SHMSIZE:
		return &fileError{fmt.Sprintf("%v: make room on the disk of %s: %v", ErrNoSpace, path, err), errors.Join(ErrNoSpace, err)}
	case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB, code == sqlite3.SQLITE_IOERR_SHORT_READ:
		return damagedFile(path, fmt.Errorf("%w: %w", ErrDamaged, err))
	case code&0xff == sqlite3.SQLITE_READONLY, code&0xff == sqlite3.SQLITE_CANTOPEN, code&0xff == sqlite3.SQLITE_PERM:
		return &fileError{fmt.Sprintf("%s and its directory must be readable and writable by this process: %v", path, err), err}
	default:
		return &fileError{fmt.Sprintf("%s: %v", path, err), err}
	}
}

func damagedFile(path string, err error) error {
	return &fileError{fmt.Sprintf("%s is %v; restore a backup of it (docs/operations/sqlite.md says how)", path, err), err}
}

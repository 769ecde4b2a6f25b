package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrInUse is the refusal to open a file that another process, or another driver in this one, has open.
var ErrInUse = errors.New("in use by another process")

// canonical is the one name of a database file, so that two settings that mean the same file open it once. Its directory is made if it is missing.
func canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("the directory of %s cannot be made: %w", path, err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target, nil
	}
	return path, nil // not there yet
}

// lockFile makes this process the only one that has the database. The lock is on a file beside it, which stays: a lock of the operating system ends with its
// process, however that ends, and is apart from the locks that SQLite takes on the database itself, which backup tools share.
func lockFile(path string) (*flock.Flock, error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o640))
	held, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be locked: %w", lock.Path(), err)
	case !held:
		return nil, fmt.Errorf("%s is %w, which holds the lock on %s: stop that process first, or set another path for this one",
			path, ErrInUse, lock.Path())
	default:
		return lock, nil
	}
}

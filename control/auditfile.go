package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// auditFile appends records to a file, one line of JSON each. When the file is moved away, as log rotation does, the next record begins a new one.
type auditFile struct {
	path string

	mu   sync.Mutex
	file *os.File // nil while it is closed
}

// open makes sure that the file can be written.
func (f *auditFile) open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openLocked()
}

func (f *auditFile) openLocked() error {
	if f.file != nil {
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("platform.control.audit.file: %w", err)
	}
	f.file = file
	return nil
}

// write appends a record. A whole line goes out in one call, so lines of several processes do not mix.
func (f *auditFile) write(r AuditRecord) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.moved() {
		_ = f.file.Close() // what was written to it is written
		f.file = nil
	}
	if err := f.openLocked(); err != nil {
		return err
	}
	_, err = f.file.Write(append(line, '\n'))
	return err
}

// moved tells whether the path means another file by now, or none.
func (f *auditFile) moved() bool {
	if f.file == nil {
		return false
	}
	own, err := f.file.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.path)
	return errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(own, there)
}

func (f *auditFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

package sqlite

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk stands between SQLite and the file system: a VFS that hands everything on to SQLite's own. It keeps a record of what is done to files, in which order, and
// lets what it is told to fail.
type disk struct {
	name string

	mu     sync.Mutex
	record []event
	refuse func(e *event) int32 // result code of SQLite; 0: go on
}

type operation uint8

const (
	opWrite operation = iota
	opTruncate
	opSync
	opDelete
	opAck // a test's: somebody was told that something is safe
)

// event is something that was done to a file.
type event struct {
	op   operation
	path string
	at   int64  // offset of a write, size after a truncation
	data []byte // what was written; the text of an ack
}

// The callbacks get pointers of SQLite, which lead back to us here. Like SQLite's own VFS, a disk stays for the whole process.
var disks = struct {
	mu     sync.Mutex
	made   int
	byVFS  map[uintptr]*disk
	byFile map[uintptr]*diskFile
}{byVFS: map[uintptr]*disk{}, byFile: map[uintptr]*diskFile{}}

type diskFile struct {
	disk    *disk
	path    string
	methods sqlite3.Tsqlite3_io_methods // SQLite's own
}

type (
	openFunc     func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc   func(tls *libc.TLS, vfs, name uintptr, sync int32) int32
	closeFunc    func(tls *libc.TLS, file uintptr) int32
	writeFunc    func(tls *libc.TLS, file, data uintptr, n int32, at int64) int32
	truncateFunc func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     func(tls *libc.TLS, file uintptr, flags int32) int32
)

// deref is what a pointer of C points to.
func deref[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// funcOf makes a Go function of a pointer of C, pointerOf the other way round; the function must not be a closure.
func funcOf[F any](p uintptr) F    { return *(*F)(unsafe.Pointer(&p)) }
func pointerOf[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

func newDisk(t testing.TB) *disk {
	t.Helper()
	d, err := makeDisk()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func makeDisk() (*disk, error) {
	disks.mu.Lock()
	defer disks.mu.Unlock()
	disks.made++
	d := &disk{name: fmt.Sprintf("disk%d", disks.made)}
	name, err := libc.CString(d.name)
	if err != nil {
		return nil, err
	}
	tls := libc.NewTLS()
	defer tls.Close()
	sqlite3.Xsqlite3_initialize(tls)
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	vfs := deref[sqlite3.Tsqlite3_vfs](p)
	*vfs = *deref[sqlite3.Tsqlite3_vfs](systemVFS(tls))
	vfs.FzName, vfs.FpNext = name, 0
	vfs.FxOpen, vfs.FxDelete = pointerOf[openFunc](diskOpen), pointerOf[deleteFunc](diskDelete)
	disks.byVFS[p] = d
	if rc := sqlite3.Xsqlite3_vfs_register(tls, p, 0); rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("SQLite refuses the VFS: %d", rc)
	}
	return d, nil
}

func systemVFS(tls *libc.TLS) uintptr { return sqlite3.Xsqlite3_vfs_find(tls, 0) }

// do notes what is done, and whether it may be.
func (d *disk) do(e event) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		if rc := d.refuse(&e); rc != 0 {
			return rc
		}
	}
	e.data = bytes.Clone(e.data)
	d.record = append(d.record, e)
	return 0
}

// ack notes that somebody was told.
func (d *disk) ack(text string) { d.do(event{op: opAck, data: []byte(text)}) }

// refusing lets operations fail; nil: none.
func (d *disk) refusing(f func(e *event) int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = f
}

// take gives the record and begins another.
func (d *disk) take() []event {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.record = nil }()
	return d.record
}

func fileOf(p uintptr) *diskFile {
	disks.mu.Lock()
	defer disks.mu.Unlock()
	return disks.byFile[p]
}

func diskOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	system := systemVFS(tls)
	if rc := funcOf[openFunc](deref[sqlite3.Tsqlite3_vfs](system).FxOpen)(tls, system, name, file, flags, out); rc != sqlite3.SQLITE_OK || name == 0 {
		return rc
	}
	disks.mu.Lock()
	defer disks.mu.Unlock()
	f := deref[sqlite3.Tsqlite3_file](file)
	own := *deref[sqlite3.Tsqlite3_io_methods](f.FpMethods)
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(own)))
	methods := deref[sqlite3.Tsqlite3_io_methods](p)
	*methods = own
	methods.FxClose, methods.FxWrite = pointerOf[closeFunc](diskClose), pointerOf[writeFunc](diskWrite)
	methods.FxTruncate, methods.FxSync = pointerOf[truncateFunc](diskTruncate), pointerOf[syncFunc](diskSync)
	f.FpMethods = p
	disks.byFile[file] = &diskFile{disk: disks.byVFS[vfs], path: libc.GoString(name), methods: own}
	return sqlite3.SQLITE_OK
}

func diskClose(tls *libc.TLS, file uintptr) int32 {
	f := fileOf(file)
	disks.mu.Lock()
	delete(disks.byFile, file)
	disks.mu.Unlock()
	return funcOf[closeFunc](f.methods.FxClose)(tls, file)
}

func diskWrite(tls *libc.TLS, file, data uintptr, n int32, at int64) int32 {
	f := fileOf(file)
	if rc := f.disk.do(event{opWrite, f.path, at, unsafe.Slice(deref[byte](data), n)}); rc != 0 {
		return rc
	}
	return funcOf[writeFunc](f.methods.FxWrite)(tls, file, data, n, at)
}

func diskTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileOf(file)
	if rc := f.disk.do(event{op: opTruncate, path: f.path, at: size}); rc != 0 {
		return rc
	}
	return funcOf[truncateFunc](f.methods.FxTruncate)(tls, file, size)
}

// diskSync notes a sync when it has succeeded.
func diskSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := fileOf(file)
	if rc := funcOf[syncFunc](f.methods.FxSync)(tls, file, flags); rc != 0 {
		return rc
	}
	return f.disk.do(event{op: opSync, path: f.path})
}

func diskDelete(tls *libc.TLS, vfs, name uintptr, sync int32) int32 {
	disks.mu.Lock()
	d := disks.byVFS[vfs]
	disks.mu.Unlock()
	system := systemVFS(tls)
	if rc := d.do(event{op: opDelete, path: libc.GoString(name)}); rc != 0 {
		return rc
	}
	return funcOf[deleteFunc](deref[sqlite3.Tsqlite3_vfs](system).FxDelete)(tls, system, name, sync)
}

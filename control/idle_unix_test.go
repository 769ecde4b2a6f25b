//go:build unix

package control_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/control"
)

// Ten thousand connections that ask for nothing, or never end asking, keep nobody out and cost a bounded amount; the workers notice nothing.
func TestIdleConnections(t *testing.T) {
	many := 1_500 // more than are kept
	if os.Getenv("PLBA_TEST_LONG") == "1" {
		many = 10_000
	}
	const kept, spare = 1_024, 200
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(many+kept+spare) {
		t.Skipf("%d connections need %d descriptors, but the limit is %d (%v): ulimit -n raises it", many, many+kept+spare, limit.Cur, err)
	}
	p := startPlane(t, nil)
	p.waitIdle()
	before, goroutines := held(), runtime.NumGoroutine()
	request := "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
	conns := make([]net.Conn, 0, many)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for n := range many {
		c, err := net.Dial("tcp", p.http.Addr())
		if err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
		conns = append(conns, c)
		_ = c.SetDeadline(time.Now().Add(patience))
		switch n % 3 { // one is silent
		case 1:
			_, _ = io.WriteString(c, request[:20])
		case 2:
			_, _ = io.WriteString(c, request)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
			}
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("connection %d: %v", n, err)
			}
		}
		if n%250 == 0 {
			p.client.CloseIdleConnections()
			read[control.RuntimeInfo](t, p.get("/api/v1/runtime"), 200)
		}
	}
	p.publish(1, 2, 3)
	eventually(t, "the mails are handled", func() bool {
		return read[control.WorkerDetail](t, p.get("/api/v1/workers/email-processing"), 200).Done == 3
	})
	grown := runtime.NumGoroutine() - goroutines
	each := (held() - before) / kept
	t.Logf("%d connections: %d goroutines and %d bytes for each of the %d that are kept", many, grown, each, kept)
	if grown > kept+200 { // one reads for each
		t.Errorf("%d goroutines for %d connections", grown, many)
	}
	if each > 64<<10 {
		t.Errorf("%d bytes for each connection that is kept", each)
	}
	open := slices.Clone(conns)
	eventually(t, "those that are too many are closed", func() bool {
		open = slices.DeleteFunc(open, func(c net.Conn) bool {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			return err != nil && !os.IsTimeout(err)
		})
		return len(open) <= kept
	})
	read[control.Operation](t, p.command(mailWorker+"/pause", ""), 200)
}

// held is what the program holds, in bytes.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

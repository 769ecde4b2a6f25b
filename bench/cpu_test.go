package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A meter tells how much CPU time this process and a server have used: on a machine with other work it is steadier than the clock. Linux only; elsewhere it stands still.
type meter struct{ server int } // PID of the postmaster

// tick is the unit of /proc: the kernel's USER_HZ, which is 100 wherever Go runs on Linux.
const tick = 10 * time.Millisecond

// used is the CPU time of both so far.
func (m meter) used() (all time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		data, err := os.ReadFile(file) //nolint:gosec // of /proc
		_, after, ok := strings.Cut(string(data), ") ")
		fields := strings.Fields(after)
		if err != nil || !ok || len(fields) < 15 {
			continue // it has ended
		}
		switch pid := filepath.Base(filepath.Dir(file)); {
		case pid == strconv.Itoa(os.Getpid()):
			all += sum(fields[11:13])
		case pid == strconv.Itoa(m.server):
			all += sum(fields[11:15]) // with its children that have ended
		case fields[1] == strconv.Itoa(m.server):
			all += sum(fields[11:13])
		}
	}
	return all
}

func sum(ticks []string) (d time.Duration) {
	for _, field := range ticks {
		n, _ := strconv.ParseInt(field, 10, 64)
		d += time.Duration(n) * tick
	}
	return d
}

// during says how much CPU time was used while f ran.
func (m meter) during(f func()) time.Duration {
	before := m.used()
	f()
	return m.used() - before
}

//go:build !windows

package plba

import (
	"os"
	"syscall"
)

// reloadSignals ask a program of Main to reload its configuration.
var reloadSignals = []os.Signal{syscall.SIGHUP}

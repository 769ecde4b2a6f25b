//go:build !unix

package postgres_test

import (
	"testing"
	"time"
)

// stop stops a process for a while and lets it go on; false where that cannot be done.
func stop(*testing.T, *child, time.Duration) bool { return false }

package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childRole is the variable that makes the test binary a process that a test starts, in a role.
const childRole = "PLBA_POSTGRES_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := roles[role](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// volume is how much of something a test does: more of it with PLBA_TEST_LONG=1.
func volume(quick, long int) int {
	if os.Getenv("PLBA_TEST_LONG") == "1" {
		return long
	}
	return quick
}

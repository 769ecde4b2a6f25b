package sqlite

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childRole is the variable that makes the test binary a process that a test starts, in a role.
const childRole = "PLBA_SQLITE_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := runChild(role, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// inMemory puts the test's files where syncing costs nothing, if there is such a place: the test is not about that.
func inMemory(t *testing.T) {
	t.Helper()
	const place = "/dev/shm"
	if info, err := os.Stat(place); err == nil && info.IsDir() {
		t.Setenv("TMPDIR", place)
	}
}

// volume is how much of something a test does: more of it with PLBA_TEST_LONG=1.
func volume(quick, long int) int {
	if os.Getenv("PLBA_TEST_LONG") == "1" {
		return long
	}
	return quick
}

// checks sets how many random checks rapid makes in a test.
func checks(t *testing.T, n int) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
}

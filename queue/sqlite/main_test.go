package sqlite

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

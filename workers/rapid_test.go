package workers_test

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// checkInBubbles makes random checks in virtual time, some in each bubble, as rapid allows itself a day for them. It returns how many; PLBA_TEST_LONG=1 makes the
// thorough number of them.
func checkInBubbles(t *testing.T, quick, thorough int, check func(testing.TB, *rapid.T)) int {
	t.Helper()
	const batch = 20
	want := quick
	if os.Getenv("PLBA_TEST_LONG") == "1" {
		want = thorough
	}
	set(t, "rapid.checks", strconv.Itoa(batch))
	checks := 0
	for checks < want && !t.Failed() {
		before := checks
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // without T.Deadline, which a bubble does not have
				check(t, rt)
				checks++
			})
		})
		if checks == before {
			t.Fatal("rapid made no checks")
		}
	}
	return checks
}

func set(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

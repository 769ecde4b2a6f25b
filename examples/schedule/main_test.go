package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/plbatest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Three nights in virtual time; in the second the clocks of Berlin go from two to three.
func TestOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2000, 3, 24, 12, 0, 0, 0, time.UTC)))
		var out bytes.Buffer
		app := plbatest.Start(t, &module{out: &out})
		time.Sleep(3 * 24 * time.Hour)
		synctest.Wait()
		if err := app.Tick("nightly-report", time.Date(1999, 12, 31, 1, 0, 0, 0, time.UTC)); err != nil {
			t.Error(err)
		}
		want := "report of 2000-03-24 (2000-03-25T02:00:00+01:00)\n" +
			"report of 2000-03-25 (2000-03-26T03:00:00+02:00)\n" +
			"report of 2000-03-26 (2000-03-27T02:00:00+02:00)\n" +
			"report of 1999-12-30 (1999-12-31T02:00:00+01:00)\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", &out, want)
		}
	})
}

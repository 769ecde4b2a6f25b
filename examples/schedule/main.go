// Command schedule reports every night at two, by the clocks of Berlin.
//
//	go run ./examples/schedule
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
	_ "time/tzdata" // so that zones are known wherever it runs

	"github.com/plba/plba"
	"github.com/plba/plba/workers"
)

type module struct{ out io.Writer }

func (*module) Name() string { return "example" }

func (m *module) Register(r *plba.Registry) error {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	report := func(_ context.Context, t workers.Tick) error {
		// The instant that was due tells which day it is about, however late the run is.
		_, err := fmt.Fprintf(m.out, "report of %s (%s)\n", t.At.AddDate(0, 0, -1).Format(time.DateOnly), t.At.Format(time.RFC3339))
		return err
	}
	r.Worker(workers.Schedule("nightly-report", "0 2 * * *", report, workers.Zone(berlin), workers.Timeout(time.Hour)))
	return nil
}

func main() { plba.Main(&module{out: os.Stdout}, plba.WithoutControlListener()) }

package plba

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSignalToExit measures how long a process lives after SIGTERM: an idle application with its control plane, and a bare program that waits for the
// signal. Run it with -benchtime 100x.
func BenchmarkSignalToExit(b *testing.B) {
	for _, program := range []string{"bare", "idle"} {
		b.Run(program, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				c := startChild(b, program, nil)
				c.await("working")
				began := time.Now()
				c.signal(syscall.SIGTERM)
				if code := c.exit(); code != 0 {
					b.Fatalf("exit code %d\n%s", code, c.text())
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[(len(took)*99-1)/100].Microseconds())/1000, "p99-ms")
		})
	}
}

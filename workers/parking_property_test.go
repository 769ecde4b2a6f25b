package workers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/workers"
	"pgregory.net/rapid"
)

// However tasks come, slots are scaled, and the worker is paused, stopped and started: no batch that could begin waits for its timer. In virtual time nothing
// but that timer takes time, so all is done in none.
func TestNoBatchWaitsInVain(t *testing.T) {
	batches := 0
	checks := checkInBubbles(t, 200, 5000, func(t testing.TB, rt *rapid.T) {
		g := gather(rapid.IntRange(2, 5).Draw(rt, "size"), time.Hour)
		q := openQueue[int](t, "q", 1000)
		w := workers.Consume("c", q, workers.Handler[int](g), workers.Concurrency(rapid.IntRange(1, 6).Draw(rt, "slots")))
		equip(t, w)
		defer w.Stop(over(), forever()) // also on a failure, or the bubble could not end
		began, item := time.Now(), 0
		start := func(*rapid.T) {
			if err := w.Start(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"publish": func(rt *rapid.T) {
				vs := make([]int, rapid.IntRange(1, 12).Draw(rt, "tasks"))
				for i := range vs {
					item++
					vs[i] = item * (i % 3) // a third of them is not gathered
				}
				publish(t, q, vs...)
			},
			"scale":  func(rt *rapid.T) { scale(t, w, rapid.IntRange(1, 6).Draw(rt, "slots")) },
			"pause":  func(*rapid.T) { pauser(w).Pause() },
			"resume": func(*rapid.T) { pauser(w).Resume() },
			"start":  start,
			"stop":   func(*rapid.T) { w.Stop(forever(), forever()) },
			"settle": func(*rapid.T) { synctest.Wait() },
		})
		pauser(w).Resume()
		start(rt)
		for synctest.Wait(); stats(t, q).Ready > 0; {
			synctest.Wait()
		}
		w.Stop(forever(), forever())
		if s := stats(t, q); s.Completed != s.Published || time.Since(began) != 0 {
			rt.Fatalf("%+v after %s", s, time.Since(began))
		}
		batches += len(g.batches)
	})
	if batches < checks {
		t.Errorf("only %d batches in %d checks", batches, checks)
	}
}

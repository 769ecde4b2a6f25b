package bench

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a worker may be without progress.
const patience = 2 * time.Minute

// What is measured.
const (
	bulk     = "published in bulk"
	worked   = "worked"
	single16 = "published one by one, 16 publishers"
	single64 = "published one by one, 64 publishers"
	p50      = "published → worked, idle queue, p50, ms"
	p99      = "published → worked, idle queue, p99, ms"
)

// rate adds a rate of so many jobs, and the CPU time that client and server took for each.
func (t *table) rate(m meter, what string, s side, jobs int, f func() float64) {
	var perSecond float64
	cpu := m.during(func() { perSecond = f() })
	t.add(what+", jobs/s", s.name(), perSecond)
	t.add(what+", µs of CPU a job", s.name(), float64(cpu)/float64(time.Microsecond)/float64(jobs))
}

// measure does everything once.
func measure(t *testing.T, s side, m meter, v volume, results *table) {
	t.Helper()
	clear := func() {
		if err := s.reset(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	clear()
	results.rate(m, bulk, s, v.bulk, func() float64 { return publishBulk(t, s, v.bulk, v.perCall) })
	drain(t, s, m, worked, v.bulk, v.bulk, results)
	clear()
	results.rate(m, single16, s, v.single, func() float64 { return publishSingly(t, s, v.single, 16) })
	results.rate(m, single64, s, v.single, func() float64 { return publishSingly(t, s, v.single, 64) })
	clear()
	latencies := idle(t, s, v.idle, time.Duration(v.intervals)*time.Millisecond)
	results.add(p50, s.name(), milliseconds(latencies[len(latencies)/2]))
	results.add(p99, s.name(), milliseconds(latencies[len(latencies)*99/100]))
	clear()
}

// behind measures the work of some jobs while so many others wait.
func behind(t *testing.T, s *plbaSide, m meter, v volume, backlog int, results *table) {
	t.Helper()
	if err := s.reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	publishBulk(t, s, backlog+v.behind, v.perCall)
	if err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	drain(t, s, m, worked+" while "+strconv.Itoa(backlog)+" wait", backlog+v.behind, v.behind, results)
}

func rate(n int, began time.Time) float64 { return float64(n) / time.Since(began).Seconds() }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// publishBulk publishes jobs in calls of so many, one after the other, and gives jobs per second.
func publishBulk(t *testing.T, s side, jobs, perCall int) float64 {
	t.Helper()
	began := time.Now()
	js := make([]job, perCall)
	for done := 0; done < jobs; done += len(js) {
		js = js[:min(perCall, jobs-done)]
		for i := range js {
			js[i].Num = done + i
		}
		if err := s.publishAll(t.Context(), js); err != nil {
			t.Fatal(err)
		}
	}
	per := rate(jobs, began)
	expectLeft(t, s, int64(jobs))
	return per
}

// drain starts a worker and adds its rate, until it has worked so many of the jobs that are there.
func drain(t *testing.T, s side, m meter, what string, there, most int, results *table) {
	t.Helper()
	seen := make([]atomic.Int32, there)
	var stop func() error
	results.rate(m, what, s, most, func() float64 {
		began := time.Now()
		var err error
		if stop, err = s.work(t.Context(), func(j job) { seen[j.Num].Add(1) }); err != nil {
			t.Fatal(err)
		}
		await(t, s, int64(most))
		return rate(int(s.finished()), began)
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	worked := int64(0)
	for i := range seen {
		n := int64(seen[i].Load())
		if worked += n; n > 1 {
			t.Errorf("%s: job %d was worked %d times", s.name(), i, n)
		}
	}
	if worked < int64(most) {
		t.Errorf("%s: %d jobs were worked, want %d", s.name(), worked, most)
	}
	expectLeft(t, s, int64(there)-worked)
}

// await waits until the worker has finished so many jobs.
func await(t *testing.T, s side, jobs int64) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	last, since := int64(-1), time.Now()
	for range look.C {
		n := s.finished()
		switch {
		case n >= jobs:
			return
		case n != last:
			last, since = n, time.Now()
		case time.Since(since) > patience:
			t.Fatalf("%s: %d of %d jobs are finished, and nothing has moved for %s", s.name(), n, jobs, patience)
		}
	}
}

// publishSingly lets publishers publish jobs one by one and gives jobs per second.
func publishSingly(t *testing.T, s side, jobs, publishers int) float64 {
	t.Helper()
	before, err := s.left(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var next atomic.Int64
	var work sync.WaitGroup
	began := time.Now()
	for range publishers {
		work.Go(func() {
			for n := next.Add(1); n <= int64(jobs); n = next.Add(1) {
				if err := s.publish(t.Context(), job{Num: int(n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	per := rate(jobs, began)
	expectLeft(t, s, before+int64(jobs))
	return per
}

// idle publishes jobs one after the other to a worker that has nothing to do, and gives the sorted times from the call until the handler's end.
func idle(t *testing.T, s side, jobs int, interval time.Duration) []time.Duration {
	t.Helper()
	took := make(chan time.Duration, 1)
	stop, err := s.work(t.Context(), func(j job) { took <- time.Since(j.At) })
	if err != nil {
		t.Fatal(err)
	}
	pause := time.NewTicker(interval)
	defer pause.Stop()
	all := make([]time.Duration, 0, jobs)
	for n := range jobs + 1 {
		if err := s.publish(t.Context(), job{Num: n, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		d := <-took
		if n > 0 { // the first may find a worker that is just starting
			all = append(all, d)
		}
		<-pause.C
	}
	await(t, s, int64(jobs+1))
	if err := stop(); err != nil {
		t.Error(err)
	}
	expectLeft(t, s, 0)
	slices.Sort(all)
	return all
}

func expectLeft(t *testing.T, s side, want int64) {
	t.Helper()
	if got, err := s.left(t.Context()); err != nil || got != want {
		t.Errorf("%s: %d jobs are left, want %d: %v", s.name(), got, want, err)
	}
}

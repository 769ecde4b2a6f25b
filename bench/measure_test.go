package bench

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a worker may be without progress.
const patience = 2 * time.Minute

// What is measured.
const (
	bulk     = "published in bulk, jobs/s"
	worked   = "worked, jobs/s"
	single16 = "published one by one, 16 publishers, jobs/s"
	single64 = "published one by one, 64 publishers, jobs/s"
	p50      = "published → worked, idle queue, p50, ms"
	p99      = "published → worked, idle queue, p99, ms"
)

// cpuOf names the CPU time that goes with a rate.
func cpuOf(what string) string { return strings.TrimSuffix(what, "jobs/s") + "µs of CPU a job" }

// measure does everything once.
func measure(t *testing.T, s side, m meter, v volume, results *table) {
	t.Helper()
	figure := func(what string, jobs int, f func() float64) {
		var rate float64
		client, server := m.during(jobs, func() { rate = f() })
		results.add(what, s.name(), rate)
		results.add(cpuOf(what), s.name(), microseconds(client+server))
		if os.Getenv("SPLIT") != "" {
			t.Logf("%s %s: client %s server %s", s.name(), what, client, server)
		}
	}
	clear := func() {
		if err := s.reset(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	clear()
	figure(bulk, v.bulk, func() float64 { return publishBulk(t, s, v.bulk, v.perCall) })
	figure(worked, v.bulk, func() float64 { return drain(t, s, v.bulk, v.bulk) })
	clear()
	figure(single16, v.single, func() float64 { return publishSingly(t, s, v.single, 16) })
	figure(single64, v.single, func() float64 { return publishSingly(t, s, v.single, 64) })
	clear()
	latencies := idle(t, s, v.idle, time.Duration(v.intervals)*time.Millisecond)
	results.add(p50, s.name(), milliseconds(latencies[len(latencies)/2]))
	results.add(p99, s.name(), milliseconds(latencies[len(latencies)*99/100]))
	clear()
}

// beside measures the work of some jobs while so many others wait.
func beside(t *testing.T, s side, v volume, backlog int, results *table) {
	t.Helper()
	if err := s.reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	publishBulk(t, s, backlog+v.behind, v.perCall)
	results.add("worked with "+strconv.Itoa(backlog)+" more that wait, jobs/s", s.name(), drain(t, s, backlog+v.behind, v.behind))
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

// drain starts a worker and gives the jobs per second until so many of those that are there have been worked.
func drain(t *testing.T, s side, there, most int) float64 {
	t.Helper()
	seen := make([]atomic.Int32, there)
	began := time.Now()
	stop, err := s.work(t.Context(), func(j job) { seen[j.Num].Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	await(t, s, int64(most))
	per := rate(int(s.finished()), began)
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
	return per
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

package queuetest

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
)

func openMemory(t testing.TB, capacity int) queue.Engine {
	t.Helper()
	engine, err := memory.Driver().Open(t.Context(), "tests", &memory.Settings{Capacity: capacity, DeadLetters: 20})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

const memoryCapabilities = queue.InProcess | queue.Checkpointed

// observe runs a suite in virtual time and gives what it found.
func observe(t *testing.T, only string, open func() queue.Engine) *failureLog {
	t.Helper()
	var log *failureLog
	synctest.Test(t, func(t *testing.T) {
		var r *recorder
		r, log = newRecorder(t)
		s := suite{caps: memoryCapabilities, only: only, open: func(runner) queue.Engine { return open() }}
		s.run(r)
	})
	return log
}

func TestSuiteAcceptsASoundEngine(t *testing.T) {
	log := observe(t, "", func() queue.Engine { return openMemory(t, 200) })
	if len(log.failures) > 0 {
		t.Errorf("a sound engine fails: %s", strings.Join(log.failures, "\n"))
	}
	if log.ran < 100 {
		t.Errorf("%d tests ran", log.ran)
	}
}

func TestSuiteFindsBrokenEngines(t *testing.T) {
	for _, b := range brokenEngines() {
		t.Run(b.name, func(t *testing.T) {
			log := observe(t, b.family, func() queue.Engine { return b.breakIt(openMemory(t, max(b.capacity, 200))) })
			if !log.failed(b.family + "/" + b.test) {
				t.Errorf("the suite does not see in %s/%s that the engine %s; it found: %s",
					b.family, b.test, b.name, strings.Join(log.failures, "\n"))
			}
		})
	}
}

// Every family must be shown to find something.
func TestEveryFamilyCanFail(t *testing.T) {
	proved := map[string]bool{}
	for _, b := range brokenEngines() {
		proved[b.family] = true
	}
	for _, f := range families() {
		if !proved[f.name] {
			t.Errorf("no broken engine is found by family %s", f.name)
		}
	}
}

func TestSuiteNoticesThatNothingRan(t *testing.T) {
	log := observe(t, "publish", func() queue.Engine {
		runtime.Goexit() // as a skipped test does
		return nil
	})
	if !log.failed("volume") {
		t.Errorf("no test ran, but the suite found only: %v", log.failures)
	}
}

func TestSuiteNoticesMissingVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := newRecorder(t)
		s := suite{caps: memoryCapabilities, open: func(runner) queue.Engine { return openMemory(t, 200) }}
		s.runTest(r.below("idle"), test{name: "idle", volume: 1, run: func(*rig) {}})
		if !log.failed("idle") {
			t.Error("a test that moved no task passed, although it is to move one")
		}
	})
}

func TestUnboundedEngineIsExcused(t *testing.T) {
	log := observe(t, "bounds", func() queue.Engine {
		inner := openMemory(t, 5000)
		return &bent{Engine: inner, stats: func(s queue.Stats) queue.Stats { s.Capacity = 0; return s }}
	})
	if len(log.failures) > 0 {
		t.Errorf("an engine without a bound fails: %s", strings.Join(log.failures, "\n"))
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range families() {
		for _, c := range f.tests {
			name := f.name + "/" + c.name
			if seen[name] {
				t.Errorf("two tests are called %s", name)
			}
			seen[name] = true
		}
	}
}

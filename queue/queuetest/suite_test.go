package queuetest

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/queue"
)

// observe runs the family in virtual time, or all of them, over memory engines that are broken so, and gives what it found.
func observe(t *testing.T, b broken) *failureLog {
	t.Helper()
	var log *failureLog
	synctest.Test(t, func(t *testing.T) {
		var r *recorder
		r, log = newRecorder(t)
		overMemory(b).run(r)
	})
	return log
}

func overMemory(b broken) *suite {
	d := newKept(b)
	return &suite{
		caps: d.Capabilities(), only: b.family, open: d.Open,
		settings: func(runner) queue.Settings { return d.Settings() },
	}
}

func TestSuiteAcceptsASoundEngine(t *testing.T) {
	log := observe(t, broken{})
	if len(log.failures) > 0 {
		t.Errorf("a sound engine fails: %s", strings.Join(log.failures, "\n"))
	}
	if log.ran < 100 {
		t.Errorf("%d tests ran", log.ran)
	}
}

// It also demands that nearly all tests are shown to be able to fail. Those that are not are about what no engine here does wrong, or about what
// the typed queue refuses before an engine sees it.
func TestSuiteFindsBrokenEngines(t *testing.T) {
	failed := map[string]bool{}
	defer func() { provenTests(t, failed) }()
	for _, b := range brokenEngines() {
		t.Run(b.name, func(t *testing.T) {
			log := observe(t, b)
			if !log.failed(b.family + "/" + b.test) {
				t.Errorf("the suite does not see in %s/%s that the engine %s; it found: %s",
					b.family, b.test, b.name, strings.Join(log.failures, "\n"))
			}
			for _, f := range log.failures {
				name, _, _ := strings.Cut(f, ": ")
				failed[name] = true
			}
		})
	}
}

func provenTests(t *testing.T, failed map[string]bool) {
	all, missing := 0, []string(nil)
	for _, f := range families() {
		for _, c := range f.tests {
			if all++; !failed[f.name+"/"+c.name] {
				missing = append(missing, f.name+"/"+c.name)
			}
		}
	}
	if len(missing) > all/10 {
		t.Errorf("%d of %d tests were never seen to fail", len(missing), all)
	}
	t.Logf("%d of %d tests were never seen to fail:\n%s", len(missing), all, strings.Join(missing, "\n"))
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
	log := observe(t, broken{family: "publish", breakIt: func(queue.Engine) queue.Engine {
		runtime.Goexit() // as a skipped test does
		return nil
	}})
	if !log.failed("volume") {
		t.Errorf("no test ran, but the suite found only: %v", log.failures)
	}
}

func TestSuiteNoticesMissingVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := newRecorder(t)
		overMemory(broken{}).runTest(r.below("idle"), test{name: "idle", volume: 1, run: func(*rig) {}})
		if !log.failed("idle") {
			t.Error("a test that moved no task passed, although it is to move one")
		}
	})
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

package queuetest

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/queue"
)

// Run puts the engines of a driver through the whole suite. settings gives, for each test, settings of the driver that lead to a storage of
// its own, empty; nil means the driver's defaults. The suite changes their Limits.
func Run(t *testing.T, d queue.Driver, settings func(t *testing.T) queue.Settings) {
	t.Helper()
	runSuite(realTest{T: t}, d, settings)
}

// Virtual is [Run] with every test in a testing/synctest bubble: waiting takes no time, and a goroutine that the engine leaves
// behind is a failure. It is for engines that wait for nothing outside of the process.
func Virtual(t *testing.T, d queue.Driver, settings func(t *testing.T) queue.Settings) {
	t.Helper()
	runSuite(realTest{T: t, virtual: true}, d, settings)
}

func runSuite(t realTest, d queue.Driver, settings func(t *testing.T) queue.Settings) {
	t.Helper()
	if settings == nil {
		settings = func(*testing.T) queue.Settings { return d.Settings() }
	}
	s := suite{caps: d.Capabilities(), open: d.Open, settings: func(r runner) queue.Settings { return settings(r.(realTest).T) }}
	s.run(t)
}

// tester is the part of testing.T that a test of the suite uses.
type tester interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// runner is a tester that has tests below it.
type runner interface {
	tester
	// group runs a test that only has tests below it.
	group(name string, f func(runner))
	// single runs a test that has none.
	single(name string, f func(runner))
}

// realTest is the runner of go test.
type realTest struct {
	*testing.T
	virtual bool
}

func (r realTest) group(name string, f func(runner)) {
	r.Run(name, func(t *testing.T) { f(realTest{t, r.virtual}) })
}

func (r realTest) single(name string, f func(runner)) {
	r.Run(name, func(t *testing.T) {
		if !r.virtual {
			f(realTest{T: t})
			return
		}
		synctest.Test(t, func(t *testing.T) { f(realTest{T: t}) })
	})
}

// family is one kind of behaviour.
type family struct {
	name  string
	needs queue.Capabilities
	tests []test
}

// test is one behaviour. volume is how many tasks the engine must have accepted when it ends.
type test struct {
	name   string
	volume int
	run    func(*rig)
}

func families() []family {
	return []family{
		{name: "publish", tests: publishTests()},
		{name: "receive", tests: receiveTests()},
		{name: "order", tests: orderTests()},
		{name: "delay", tests: delayTests()},
		{name: "lease", tests: leaseTests()},
		{name: "fence", tests: fenceTests()},
		{name: "outcome", tests: outcomeTests()},
		{name: "attempts", tests: attemptsTests()},
		{name: "dead", tests: deadTests()},
		{name: "keep", tests: keepTests()},
		{name: "unique", tests: uniqueTests()},
		{name: "bounds", tests: boundsTests()},
		{name: "close", tests: closeTests()},
		{name: "checkpoints", needs: queue.Checkpointed, tests: checkpointsTests()},
		{name: "stats", tests: statsTests()},
		{name: "states", tests: statesTests()},
		{name: "tasks", tests: tasksTests()},
		{name: "cancel", tests: cancelTests()},
		{name: "requeue", tests: requeueTests()},
		{name: "run now", tests: runNowTests()},
		{name: "purge", tests: purgeTests()},
		{name: "pause", tests: pauseTests()},
		{name: "limits", tests: limitTests()},
		{name: "undoing", needs: queue.Checkpointed, tests: undoingTests()},
		{name: "groups", needs: queue.Grouped, tests: groupTests()},
		{name: "strict order", needs: queue.Grouped, tests: strictTests()},
		{name: "durable", needs: queue.Durable, tests: durableTests()},
		{name: "durable undoing", needs: queue.Durable | queue.Checkpointed, tests: durableUndoTests()},
		{name: "durable groups", needs: queue.Durable | queue.Grouped, tests: durableGroupTests()},
		{name: "cluster", needs: queue.ClusterWide, tests: clusterTests()},
		{name: "groups undoing", needs: queue.Grouped | queue.Checkpointed, tests: groupUndoingTests()},
		{name: "concurrency", tests: concurrencyTests()},
		{name: "histories", tests: historiesTests()},
		{name: "typed", tests: typedTests()},
	}
}

// suite is one run of all families.
type suite struct {
	caps     queue.Capabilities
	open     func(context.Context, queue.Opening) (queue.Engine, error)
	settings func(runner) queue.Settings
	only     string // the one family to run; "": all
}

func (s *suite) run(t runner) {
	expected, ran := 0, 0
	for _, f := range families() {
		if s.only != "" && s.only != f.name {
			continue
		}
		if missing := s.caps.Missing(f.needs); missing != 0 {
			t.Logf("family %s is left out: the engine lacks %s", f.name, missing)
			continue
		}
		expected += len(f.tests)
		t.group(f.name, func(t runner) {
			for _, c := range f.tests {
				t.single(c.name, func(t runner) {
					s.runTest(t, c)
					ran++
				})
			}
		})
	}
	t.single("volume", func(t runner) {
		if ran != expected || ran == 0 {
			t.Errorf("%d of %d tests ran to their end", ran, expected)
		}
	})
}

// runTest runs one test on an engine of its own.
func (s *suite) runTest(t runner, c test) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r := &rig{tester: t, ctx: ctx, caps: s.caps, engine: &meter{}, open: s.open}
	r.opening = queue.Opening{Queue: "tests", Settings: s.settings(t)}
	l := r.opening.Settings.Limits()
	l.Capacity, l.DeadLetters = capacity, 0
	r.start()
	defer r.end()
	c.run(r)
	got := int(r.engine.accepted.Load())
	for _, p := range r.peers {
		got += int(p.engine.accepted.Load())
	}
	if got < c.volume {
		t.Errorf("the engine accepted %d tasks; this test is to move at least %d", got, c.volume)
	}
}

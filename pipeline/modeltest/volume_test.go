package modeltest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// volume counts what the property test has met: pipelines that were drawn with something ("with …"), how often a policy or a rule of
// a combinator decided something ("acted: …"), how stages and runs ended.
type volume map[string]int

// drawn counts a scenario.
func (v volume) drawn(s *scenario) {
	with := map[string]bool{}
	if s.together {
		with["tasks together"] = true
	}
	look(s.whole, with)
	for what := range with {
		v["with "+what]++
	}
	v["pipelines"]++
}

// look names what a plan is made of.
func look(p plan, with map[string]bool) {
	with[strings.TrimPrefix(strings.TrimRight(p.title(), "0123456789"), "arm.")] = true
	if len(p.policy().order) > 0 {
		p.policy().look(with)
	}
	if s, ok := p.(*sequence); ok && len(s.use) > 0 {
		with["middleware"] = true
	}
	for _, inside := range p.inside() {
		look(inside, with)
	}
}

func (p *policies) look(with map[string]bool) {
	for what, is := range map[string]bool{
		"retry": p.attempts > 0, "retry if": p.retryIf != "", "permanent if": p.permanentIf != "", "timeout": p.timeout > 0,
		"limit": p.limit > 0, "rate": p.rate > 0, "breaker": p.failures > 0, "fallback": p.fallback != nil,
		"checkpoint": p.keep == "checkpoint", "compensate": p.keep == "undo",
	} {
		if is {
			with[what] = true
		}
	}
}

// mustMeet is what the test has no point without, with how many of 1000 pipelines must have met it at least.
var mustMeet = map[string]int{
	"with tasks together": 300, "with map": 200, "with pure": 150, "with tap": 150, "with filter": 150, "with sink": 150,
	"with sub": 100, "with each": 40, "with many": 80, "with both": 30, "with all3-": 30, "with all4-": 30, "with switch": 100,
	"with validate": 100, "with batch": 100, "with middleware": 100,
	"with retry": 100, "with retry if": 100, "with permanent if": 100, "with timeout": 100, "with limit": 100, "with rate": 80,
	"with breaker": 30, "with fallback": 100, "with checkpoint": 30, "with compensate": 60,

	"acted: retry": 100, "acted: retry if": 20, "acted: retry cut short": 5, "acted: permanent if": 10, "acted: timeout": 50, "acted: rate": 30,
	"acted: breaker": 10, "acted: trial": 3, "acted: closed again": 2, "acted: fallback": 100, "acted: resumed": 3, "acted: undo": 50, "acted: several undone": 5,
	"acted: failed compensation": 10, "acted: failed compensation before others": 2, "acted: collected": 20, "acted: otherwise": 20, "acted: rejected": 50, "acted: rejected path failed": 5,
	"acted: left a batch": 10, "acted: wrong answers": 10, "acted: item error": 10, "acted: cancelled before a stage": 20,

	"middleware refuses": 10, "middleware goes twice": 10, "middleware again": 10, "middleware swallows": 10, "middleware rewrites": 10,
	"middleware panics": 10,

	"end: error": 50, "end: other error": 50, "end: permanent": 50, "end: snooze": 50, "end: retry after": 50, "end: drop": 50,
	"end: panic": 50, "end: goexit": 50, "end: filtered": 50, "end: no case": 10,

	"result: done": 500, "result: retry": 300, "result: dead": 100, "result: snoozed": 50, "result: dropped": 100,
	"result: goroutine ended": 20, "strict": 3000,
}

// check fails when the test has lost its point.
func (v volume) check(t *testing.T) {
	for _, what := range slices.Sorted(maps.Keys(mustMeet)) {
		if least := mustMeet[what] * v["pipelines"] / 1000; v[what] < least {
			t.Errorf("%q was met only %d times, want at least %d: the test has lost its point", what, v[what], least)
		}
	}
	if v["loose"] > v["strict"]/2 {
		t.Errorf("of %d tasks it was open what happens, against %d: the test has lost its point", v["loose"], v["strict"])
	}
	for _, what := range slices.Sorted(maps.Keys(v)) {
		t.Logf("%6d %s", v[what], what)
	}
}

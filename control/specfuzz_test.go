package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// specFuzz asks every operation of the document that a running application serves, and compares each answer with that document.
type specFuzz struct {
	w        *world
	wire     *wire
	seen     map[string][]string
	targets  []*target
	problem  *openapi3.Schema
	event    *openapi3.Schema
	requests int
	events   int
	success  map[string]int // by operation: 2xx
	came     map[string]int // by status
	attacked map[string]int // by attack: how often it was made
}

// TestSpecFuzz: whatever is asked, the answer is one that the document allows, none is a failure of the server, what the document allows is not refused as wrong, and what it forbids is.
func TestSpecFuzz(t *testing.T) {
	rounds, requests, successes := 12, 1_500, 12
	if os.Getenv("PLBA_TEST_LONG") == "1" {
		rounds, requests, successes = 200, 20_000, 200
	}
	setFlag(t, "rapid.checks", strconv.Itoa(rounds))
	setFlag(t, "rapid.nofailfile", "true")
	setFlag(t, "rapid.shrinktime", "1s") // the application remembers: what failed is told whole
	f := newSpecFuzz(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := &maker{rt, rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), uint64(f.requests))), f.seen}
		for _, g := range rapid.Permutation(f.targets).Draw(rt, "order") {
			path := f.w.prepare(g.id)
			if path == nil {
				path = map[string]string{}
			}
			f.ask(rt, m, m.proper(g, path), true)
			f.ask(rt, m, m.proper(g, nil), false)
			f.ask(rt, m, f.attack(m, m.proper(g, nil)), false)
		}
	})
	if t.Failed() {
		return
	}
	f.w.settle()
	f.w.up()
	f.w.post("done") // it works still
	f.assert(t, requests, successes)
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

func newSpecFuzz(t *testing.T) *specFuzz {
	w := newWorld(t)
	f := &specFuzz{w: w, wire: &wire{addr: w.p.http.Addr()}, seen: map[string][]string{}, success: map[string]int{}, came: map[string]int{}, attacked: map[string]int{}}
	t.Cleanup(f.wire.drop)
	doc, err := openapi3.NewLoader().LoadFromData(w.get("/openapi.json").body)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.Components.Schemas { // more may be in answers one day, but nothing that is not documented now
		if extra := &s.Value.AdditionalProperties; len(s.Value.Properties) > 0 && extra.Schema == nil {
			extra.Has = new(bool)
		}
	}
	f.problem, f.event = doc.Components.Schemas["Problem"].Value, doc.Components.Schemas["Event"].Value
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		for method, op := range doc.Paths.Find(path).Operations() {
			g := &target{id: op.OperationID, method: method, path: path, op: op}
			text, err := json.Marshal(op.Extensions["x-plba-access"])
			if err == nil {
				err = json.Unmarshal(text, &g.need)
			}
			if err != nil {
				t.Fatal(err)
			}
			f.targets = append(f.targets, g)
		}
	}
	slices.SortFunc(f.targets, func(a, b *target) int { return strings.Compare(a.id, b.id) })
	return f
}

// attack changes a question in one way, sometimes in two.
func (f *specFuzz) attack(m *maker, q *question) *question {
	wanted := 1 + m.even.IntN(5)/4
	for len(q.attack) < wanted {
		order := slices.Clone(attacks)
		m.even.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if m.coin() { // so that those that seldom apply come too
			slices.SortStableFunc(order, func(a, b attack) int { return f.attacked[a.name] - f.attacked[b.name] })
		}
		for _, a := range order {
			if changed := f.attackWith(m, q, a); changed != nil {
				q = changed
				break
			}
		}
	}
	return q
}

// attackWith gives nil when the attack does not apply.
func (f *specFuzz) attackWith(m *maker, q *question, a attack) *question {
	changed := *q
	changed.path, changed.headers, changed.query, changed.want = maps.Clone(q.path), slices.Clone(q.headers), slices.Clone(q.query), nil
	if slices.Contains(q.attack, a.name) || !a.apply(m, &changed) {
		return nil
	}
	if q.attack != nil { // of two, either may be noticed first, or undo the other
		changed.want = append(q.proper(), 400, 401, 403, 404, 405, 413, 415, 421, 422, 431, 501)
	}
	changed.attack = append(slices.Clone(q.attack), a.name)
	f.attacked[a.name]++
	return &changed
}

// proper are the statuses with which the operation answers what the document allows; 422 only about what it cannot say.
func (q *question) proper() (list []int) {
	for _, status := range []int{200, 202, 304, 404, 409, 422, 503} {
		if q.documents(status) {
			list = append(list, status)
		}
	}
	return list
}

func (f *specFuzz) ask(rt *rapid.T, m *maker, q *question, prepared bool) {
	p := q.parcel()
	a, err := f.wire.send(p, f.enough(prepared))
	f.requests++
	f.came[strconv.Itoa(a.status)]++
	if err == nil {
		err = f.judge(q, a, prepared)
	}
	if err != nil {
		rt.Fatalf("%s, attacks %q: %s\n%d %v\n%s\n%v", q.id, q.attack, p, a.status, a.header, cutText(string(a.body)), err)
	}
	if a.status/100 == 2 && !q.unrouted {
		f.success[q.id]++
	}
	m.learn(q, a)
}

// enough ends a stream of events: after the first event, if there is to be one, else after the greeting.
func (f *specFuzz) enough(prepared bool) func(answer) bool {
	return func(a answer) bool {
		greeted := bytes.Contains(a.body, []byte("retry: 2000\n\n"))
		return greeted && (!prepared || bytes.HasSuffix(a.body, []byte("\n\n")) && bytes.Contains(a.body, []byte("data: ")))
	}
}

func (f *specFuzz) assert(t *testing.T, requests, successes int) {
	t.Helper()
	log := f.w.p.log.String()
	for _, bad := range []string{"panicked", "control operation failed", "cannot be encoded"} {
		if n := strings.Count(log, bad); n > 0 {
			t.Errorf("the log says %q %d times", bad, n)
		}
	}
	least := ""
	for _, g := range f.targets {
		if least == "" || f.success[g.id] < f.success[least] {
			least = g.id
		}
		if f.success[g.id] < successes {
			t.Errorf("%s succeeded %d times, want %d", g.id, f.success[g.id], successes)
		}
	}
	for _, a := range attacks {
		if f.attacked[a.name] == 0 && !(a.name == "a wrong token") {
			t.Errorf("%q was never tried", a.name)
		}
	}
	if f.requests < requests || len(f.targets) < 44 || f.events < successes {
		t.Errorf("%d requests of %d operations, %d events", f.requests, len(f.targets), f.events)
	}
	t.Logf("%d requests of %d operations, each successful at least %d times (%s); statuses %v; events %d; attacks %v", f.requests, len(f.targets), f.success[least], least, f.came, f.events, f.attacked)
}

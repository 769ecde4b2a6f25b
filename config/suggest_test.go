package config

import (
	"testing"

	"pgregory.net/rapid"
)

func TestClosest(t *testing.T) {
	known := []string{"capacity", "concurrency", "poll_every", "log", "a", "b"}
	for word, want := range map[string]string{
		"capcity": "capacity", "capactiy": "capacity", "Capacity": "capacity", "capacities": "capacity",
		"concurency": "concurrency", "poll-every": "poll_every", "pollevery": "poll_every", "logs": "log", "lgo": "log",
		"c": "", "ab": "a", "zebra": "", "": "", "capital": "",
	} {
		if got := closest(word, known); got != want {
			t.Errorf("closest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestHint(t *testing.T) {
	for _, c := range []struct {
		known []string
		want  string
	}{
		{nil, ""},
		{[]string{"level"}, `did you mean "level"?`},
		{[]string{"format", "x"}, "known here: format, x"},
		{make([]string, maxListed+1), ""},
	} {
		if got := hintFor("levle", c.known); got != c.want {
			t.Errorf("hint among %q: %q, want %q", c.known, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abcä")), 0, 8, -1)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		ab := distance(a, b)
		la, lb := len([]rune(a)), len([]rune(b))
		switch {
		case ab != distance(b, a):
			t.Fatal("not symmetric")
		case (ab == 0) != (a == b):
			t.Fatal("zero if and only if equal")
		case ab < max(la-lb, lb-la) || ab > max(la, lb):
			t.Fatalf("%d is out of bounds", ab)
		case distance(a+c, b+c) > ab:
			t.Fatal("a common end adds to the distance")
		}
		if la >= 2 { // one slip of each kind
			r := []rune(a)
			for _, slip := range []string{string(r[1:]), "z" + a, "z" + string(r[1:]), string([]rune{r[1], r[0]}) + string(r[2:])} {
				if distance(a, slip) > 1 {
					t.Fatalf("%q to %q is %d", a, slip, distance(a, slip))
				}
			}
		}
	})
}

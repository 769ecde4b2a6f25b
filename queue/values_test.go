package queue

import (
	"strings"
	"testing"
	"time"
)

func FuzzStorable(f *testing.F) {
	for _, s := range []string{"", "plain", "NUL \x00", "\xff\xfe", strings.Repeat("é", 2100), strings.Repeat("\x00", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cause string) {
		got := storable(cause)
		if !plain(got) {
			t.Errorf("%q is not storable", got)
		}
		if plain(cause) && len(cause) <= maxCause && got != cause {
			t.Errorf("%q became %q without need", cause, got)
		}
		if len(got) > 3*maxCause+3 {
			t.Errorf("%d bytes became %d", len(cause), len(got))
		}
	})
}

func FuzzValidName(f *testing.F) {
	for _, s := range []string{"mails", "a-b_c.d", "", ".a", "A", "a/b", "a\x00", "ä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		first := strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789", rune((name + "!")[0]))
		want := first && len(name) <= 100 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
		if got := validName(name); got != want {
			t.Errorf("validName(%q) = %t", name, got)
		}
	})
}

func TestDefaultRetry(t *testing.T) {
	for attempt, middle := range map[int]time.Duration{
		-1: 2 * time.Second, 0: 2 * time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 9: 512 * time.Second,
		10: 750 * time.Second, 20: 750 * time.Second, 31: 750 * time.Second, 32: 750 * time.Second, 1 << 40: 750 * time.Second,
	} {
		low, high := time.Duration(1<<62), time.Duration(0)
		for range 2000 {
			d := DefaultRetry(attempt)
			low, high = min(low, d), max(high, d)
		}
		if low < middle*8/10 || high > middle*12/10 || high > 15*time.Minute {
			t.Errorf("attempt %d waits %s to %s, expected %s give or take 20 %%, at most 15m", attempt, low, high, middle)
		}
		if low > middle*85/100 || high < middle*115/100 {
			t.Errorf("attempt %d waits %s to %s: no spread", attempt, low, high)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for c, want := range map[Capabilities]string{
		0: "none", Durable: "durable", Durable | ClusterWide: "durable, cluster-wide", InProcess | Checkpointed: "checkpointed, in-process",
		Transactional | Grouped: "transactional, grouped", Durable | 1<<9: "durable, unknown(0x200)",
	} {
		if got := c.String(); got != want {
			t.Errorf("%d: %s, expected %s", c, got, want)
		}
	}
	if got := (Checkpointed | InProcess).Missing(Durable | Checkpointed); got != Durable {
		t.Errorf("missing is %s", got)
	}
}

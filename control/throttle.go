package control

import (
	"net/netip"
	"sync"
	"time"
)

// The limits of failed logins.
const (
	loginTries   = 10              // at once, per address
	loginEvery   = 3 * time.Second // and then one each
	loginTracked = 10_000          // addresses; further ones share their tries
)

// throttle limits how often an address may present a token that is not one. It keeps only addresses that did so lately.
type throttle struct {
	mu    sync.Mutex
	used  map[netip.Prefix]tries
	sweep time.Time // when forgotten addresses were last looked for
}

// tries are those used up at an instant; one comes back each loginEvery.
type tries struct {
	used float64
	at   time.Time
}

func (t tries) now(now time.Time) float64 {
	return max(t.used-float64(now.Sub(t.at))/float64(loginEvery), 0)
}

func newThrottle() *throttle { return &throttle{used: map[netip.Prefix]tries{}} }

// take uses up a try of the address before its token is looked at, so that many at once do not get more than one after the other. When there is none
// left, wait says for how long.
func (t *throttle) take(addr netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := t.key(addr, now)
	used := t.used[key].now(now)
	if used > loginTries-1 {
		return time.Duration((used - (loginTries - 1)) * float64(loginEvery)), false
	}
	t.used[key] = tries{used + 1, now}
	return 0, true
}

// giveBack returns the try of a token that was right.
func (t *throttle) giveBack(addr netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := t.key(addr, now)
	if used := t.used[key].now(now) - 1; used > 0 {
		t.used[key] = tries{used, now}
	} else {
		delete(t.used, key)
	}
}

// key is the address, for IPv6 the network that one client has; the zero prefix when too many are tracked.
func (t *throttle) key(addr netip.Addr, now time.Time) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	key, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	if _, tracked := t.used[key]; tracked || len(t.used) < loginTracked {
		return key
	}
	if now.Sub(t.sweep) >= loginEvery {
		t.sweep = now
		for k, v := range t.used {
			if v.now(now) == 0 {
				delete(t.used, k)
			}
		}
	}
	if len(t.used) < loginTracked {
		return key
	}
	return netip.Prefix{}
}

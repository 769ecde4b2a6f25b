package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// longTest asks for the full volume instead of the quick one.
func longTest() bool { return os.Getenv("PLBA_TEST_LONG") == "1" }

// lines counts the mails that a bot says it has moved.
func lines(text string) int { return strings.Count(text, "@") }

// TestTerminatedInTheMiddle stops the bot by SIGTERM while it works. It finishes what it has begun and says so; another run finishes the rest.
func TestTerminatedInTheMiddle(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this system has no SIGTERM")
	}
	mails := variants(300)
	want := undisturbed(t, mails, inMemory)
	server := newOutside(t, mails)
	cfg, store := server.config(inMemory(t).settings)

	small := filepath.Join(t.TempDir(), "small.yaml") // so that the poller cannot run ahead of the work
	must(t, os.WriteFile(small, []byte("platform: {queues: {mails: {capacity: 20}}}\n"), 0o600))
	p := start(t, "mailorderbot", "-config", cfg, "-config", small)
	p.stdout.await(t, "progress", func(text string) bool { return lines(text) >= 5 })
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.wantExit(0)
	if out := p.stderr.String(); !strings.Contains(out, "stopped in ") || !strings.Contains(out, ", clean (signal terminated)") || !strings.Contains(out, "email-processing") {
		t.Errorf("no receipt")
	}
	st := server.status()
	inbox, total := len(st.Folders["INBOX"]), 0
	for _, f := range st.Folders {
		total += len(f)
	}
	if inbox == 0 || inbox == len(mails) || total != len(mails) {
		t.Fatalf("%d of %d mails are left in the inbox, of %d: this was not the middle of the work", inbox, len(mails), total)
	}
	t.Logf("%d of %d mails were left", inbox, len(mails))

	p = start(t, "mailorderbot", "-once", "-config", cfg)
	p.wantExit(0)
	got := collect(t, server, store)
	got.equal(t, want)
	for id, n := range got.answers {
		if n != 1 {
			t.Errorf("the answer %s was sent %d times", id, n)
		}
	}
}

// TestKilled kills the bot at random moments, again and again, while its mail server lives on. In the end everything is as if nothing had happened, but for
// answers that may have been sent twice, with the same Message-ID and the same words.
func TestKilled(t *testing.T) {
	kills, volume := 30, 200
	if longTest() {
		kills, volume = 60, 300
	}
	killed(t, inMemory, kills, volume)
}

// killed works through a volume of mails with a bot that is killed in the middle of work for so many times.
func killed(t *testing.T, in engine, kills, volume int) {
	t.Helper()
	mails := variants(volume)
	want := undisturbed(t, mails, in)
	server, place := newOutside(t, mails), in(t)
	cfg, store := server.config(place.settings)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	inWork, left, began := 0, volume, time.Now()
	var state killState
	for runs := 1; ; runs++ {
		if runs > 10*kills {
			t.Fatalf("not done after %d runs", runs)
		}
		p := start(t, "mailorderbot", "-once", "-config", cfg)
		if inWork >= kills {
			p.wantExit(0)
			break
		}
		waitRandomly(t, p, random, left > 8*(kills-inWork))
		_ = p.cmd.Process.Kill()
		if p.exit() == 0 {
			t.Fatalf("the work was done after %d kills", inWork)
		}
		if left = len(server.status().Folders["INBOX"]); left > 0 && state.look(t, store) {
			inWork++
		}
	}
	t.Logf("%d kills in the middle of work, in %s; after them: %s", inWork, time.Since(began).Round(time.Millisecond), state)
	if state.decided < kills/4 {
		t.Errorf("too few kills hit a mail between its order and its move")
	}
	got := collect(t, server, store)
	got.equal(t, want)
	place.check(t, mails)
	repeated := 0
	for _, n := range got.answers {
		if n > 1 {
			repeated++
		}
	}
	t.Logf("%d answers were sent again", repeated)
}

// waitRandomly lets a bot work for a while: some never get to their first mail, some get through a few if there are enough left.
func waitRandomly(t *testing.T, p *process, random *rand.Rand, enough bool) {
	t.Helper()
	few, moment := 1, time.Duration(random.IntN(5_000))*time.Microsecond
	if enough {
		few, moment = 1+random.IntN(4), 3*moment
	}
	if random.IntN(4) > 0 {
		p.stdout.await(t, "progress", func(text string) bool { return lines(text) >= few })
	}
	select {
	case <-time.After(moment):
	case <-p.exited:
	}
}

// killState counts kills by what they left in the store.
type killState struct{ undecided, decided, answered int }

// look says whether there were mails that had been begun.
func (k *killState) look(t *testing.T, store string) bool {
	t.Helper()
	undecided, decided, answered := 0, 0, 0
	for _, e := range ledger(t, store) {
		switch {
		case e.Left:
		case e.Folder == "":
			undecided = 1
		case e.Answered:
			answered, decided = 1, 1
		default:
			decided = 1
		}
	}
	k.undecided, k.decided, k.answered = k.undecided+undecided, k.decided+decided, k.answered+answered
	return undecided+decided > 0
}

func (k killState) String() string {
	return fmt.Sprintf("undecided mails %d times, decided and not moved %d times, answered and not moved %d times", k.undecided, k.decided, k.answered)
}

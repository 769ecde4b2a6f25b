package plba

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// runs is how often each row of signals is tried with a process of its own.
const runs = 20

// sayGoodbye brings a working program to its end: patient ones are let finish after the first signal, all others get more signals.
func sayGoodbye(t *testing.T, program string, signals ...syscall.Signal) *child {
	t.Helper()
	c := startChild(t, program, nil)
	c.await("working")
	for i, s := range signals {
		c.signal(s)
		c.await([]string{"stopping (again: force)", "forcing (again: exit at once)", ""}[i])
	}
	if program == "patient" {
		if _, err := fmt.Fprintln(c.stdin); err != nil {
			t.Error(err)
		}
	}
	return c
}

// The three signals, each with a real process, many times.
func TestSignalsOfAProcess(t *testing.T) {
	const term, interrupt = syscall.SIGTERM, syscall.SIGINT
	total := 0
	for _, c := range []struct {
		program string
		signals []syscall.Signal
		code    int
		golden  string // of the receipt; "" there is none
	}{
		{"patient", []syscall.Signal{term}, 0, "receipt-clean.txt"},
		{"patient", []syscall.Signal{interrupt}, 0, "receipt-clean.txt"},
		{"stubborn", []syscall.Signal{term, term}, 143, "receipt-forced.txt"},
		{"stubborn", []syscall.Signal{interrupt, interrupt}, 130, "receipt-forced.txt"},
		{"stubborn", []syscall.Signal{term, interrupt}, 130, "receipt-forced.txt"},
		{"deaf", []syscall.Signal{term, term, term}, 143, ""},
		{"deaf", []syscall.Signal{interrupt, interrupt, interrupt}, 130, ""},
		{"deaf", []syscall.Signal{interrupt, interrupt, term}, 143, ""},
	} {
		t.Run(fmt.Sprintf("%s %v", c.program, c.signals), func(t *testing.T) {
			var atOnce sync.WaitGroup
			receipts := make(chan string, runs)
			turns := make(chan struct{}, 4)
			for range runs {
				turns <- struct{}{}
				atOnce.Go(func() {
					defer func() { <-turns }()
					p := sayGoodbye(t, c.program, c.signals...)
					if code := p.exit(); code != c.code {
						t.Errorf("exit code %d, want %d\n%s", code, c.code, p.text())
					}
					receipts <- strings.ReplaceAll(p.receipt(), "signal interrupt", "signal terminated")
				})
			}
			atOnce.Wait()
			close(receipts)
			for receipt := range receipts {
				total++
				switch {
				case c.golden != "":
					golden(t, c.golden, receipt)
				case receipt != "":
					t.Errorf("it did not exit at once:\n%s", receipt)
				}
			}
		})
	}
	if total != 8*runs {
		t.Errorf("%d processes", total)
	}
}

// exitCases shows each row of the table of exit codes, by its words.
var exitCases = map[string]func(*testing.T) *child{
	"one signal, and all work ended in time":                             func(t *testing.T) *child { return sayGoodbye(t, "patient", syscall.SIGTERM) },
	"the application asked for its own stop, and all work ended in time": plain("satisfied"),
	"a start failed; what had started was stopped again":                 plain("unlucky"),
	"the configuration is at fault; nothing was started":                 plain("patient", "PLBA_PLATFORM__SHUTDOWN__TIMEOUT=soon"),
	"a critical worker was given up, and `platform.exit_on_critical_failure` is set": plain("crashing",
		"PLBA_PLATFORM__EXIT_ON_CRITICAL_FAILURE=true"),
	"one signal during the start, which was undone": func(t *testing.T) *child {
		c := startChild(t, "slow to start", nil)
		c.await("starting")
		c.signal(syscall.SIGTERM)
		return c
	},
	"one signal, and something was still at work when the budget ended": func(t *testing.T) *child {
		c := startChild(t, "stubborn", nil, "PLBA_PLATFORM__SHUTDOWN__TIMEOUT=500ms")
		c.await("working")
		c.signal(syscall.SIGTERM)
		return c
	},
	"one signal, and a volatile queue still held tasks, which are lost": func(t *testing.T) *child { return sayGoodbye(t, "forgetful", syscall.SIGTERM) },
	"a second signal forced the stop, and the receipt tells of what": func(t *testing.T) *child {
		c := startChild(t, "deaf", nil, "PLBA_PLATFORM__SHUTDOWN__TIMEOUT=1s")
		c.await("working")
		c.signal(syscall.SIGTERM)
		c.await("stopping (again: force)")
		c.signal(syscall.SIGINT)
		return c
	},
	"a third signal": func(t *testing.T) *child {
		return sayGoodbye(t, "deaf", syscall.SIGTERM, syscall.SIGTERM, syscall.SIGTERM)
	},
	"wrong usage of flags; nothing was started": func(t *testing.T) *child { return startChild(t, "patient", []string{"-confg", "x.yaml"}) },
	"`-check` found nothing, or `-help`, `-version`, `-print-graph`, `-print-openapi`": func(t *testing.T) *child {
		for _, flag := range []string{"-help", "-version", "-print-graph", "-print-openapi"} {
			if c := startChild(t, "patient", []string{flag}); c.exit() != 0 {
				t.Errorf("%s:\n%s", flag, c.text())
			}
		}
		return startChild(t, "patient", []string{"-check"})
	},
}

// plain is a program that ends by itself.
func plain(program string, env ...string) func(*testing.T) *child {
	return func(t *testing.T) *child { return startChild(t, program, nil, env...) }
}

// What a handler lets loose is out of the platform's reach: the process ends, as Go has it, and says why.
func TestPanicInAGoroutineOfAHandler(t *testing.T) {
	c := startChild(t, "reckless", nil)
	if code := c.exit(); code != 2 || !strings.Contains(c.text(), "panic: where nobody can catch it\n\ngoroutine ") || c.receipt() != "" {
		t.Errorf("exit code %d\n%s", code, c.text())
	}
}

// receiptsOf are the rows whose receipts are golden files, too.
var receiptsOf = map[string]string{
	"one signal during the start, which was undone":                     "receipt-start.txt",
	"one signal, and a volatile queue still held tasks, which are lost": "receipt-lost.txt",
	"one signal, and something was still at work when the budget ended": "receipt-budget.txt",
	"a second signal forced the stop, and the receipt tells of what":    "receipt-abandoned.txt",
}

var exitRow = regexp.MustCompile(`(?m)^\| (\d+(?: or \d+)?) \| (.*) \|$`)

// The documented table of exit codes is what programs do: each row is shown by a process.
func TestExitCodes(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("docs", "operations", "signals-and-exit-codes.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := exitRow.FindAllStringSubmatch(string(doc), -1)
	missing := maps.Clone(exitCases)
	for _, row := range rows {
		codes, when := strings.Split(row[1], " or "), row[2]
		show := exitCases[when]
		delete(missing, when)
		if show == nil {
			t.Errorf("nothing shows this row: %s", row[0])
			continue
		}
		t.Run(when, func(t *testing.T) {
			c := show(t)
			if code := c.exit(); !slices.Contains(codes, fmt.Sprint(code)) {
				t.Errorf("exit code %d, want %s\n%s", code, row[1], c.text())
			}
			if name := receiptsOf[when]; name != "" {
				golden(t, name, c.receipt())
			}
		})
	}
	if len(missing) > 0 || len(rows) < 10 {
		t.Errorf("%d rows; not in the document: %v", len(rows), slices.Collect(maps.Keys(missing)))
	}
}

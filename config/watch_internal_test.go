package config

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("PLBA_TEST_LONG") != "" {
		if err := flag.Set("rapid.checks", "10000"); err != nil { // the command line may say otherwise
			panic(err)
		}
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		touched := make(chan struct{}, 1)
		began := time.Now()
		var acts []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			debounce(ctx, touched, quiet, func() {
				acts = append(acts, fmt.Sprint(time.Since(began).Milliseconds()))
				if len(acts) == 2 {
					time.Sleep(300 * time.Millisecond) // a reload that takes long
				}
			})
		}()
		for _, at := range []int{0, 50, 140, 230, 1000, 1150, 1200, 1300, 5000} {
			time.Sleep(time.Until(began.Add(time.Duration(at) * time.Millisecond)))
			select {
			case touched <- struct{}{}:
			default:
			}
		}
		cancel() // before the last one has settled
		<-done
		if got, want := strings.Join(acts, " "), "330 1100 1500"; got != want {
			t.Errorf("acted at %s, want %s", got, want)
		}
	})
}

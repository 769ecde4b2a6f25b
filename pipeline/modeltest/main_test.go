package modeltest

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	checks := "500"
	if os.Getenv("PLBA_TEST_LONG") != "" {
		checks = "12000"
	}
	if err := flag.Set("rapid.checks", checks); err != nil { // the command line may say otherwise
		panic(err)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/internal/demo"
)

// The test binary is the command when this is set.
const asCommand = "PLBA_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(t *testing.T, address string, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Env = append(os.Environ(), asCommand+"=1", "PLBA_ADDRESS="+address, "PLBA_TOKEN="+demo.Operator)
	out := &strings.Builder{}
	c.Stdout, c.Stderr = out, out
	return c, out
}

// The process ends with the code, also by a signal while it waits.
func TestProcess(t *testing.T) {
	a := demo.Start(t, nil)
	for args, want := range map[string]int{"status": 0, "workers show nobody": 1, "nonsense": 2, "status -a unix:///nowhere": 3, "audit": 4} {
		c, out := command(t, a.HTTP, strings.Fields(args)...)
		err := c.Run()
		if c.ProcessState == nil || c.ProcessState.ExitCode() != want {
			t.Errorf("plba %s: %v\n%s", args, err, out)
		}
	}
	a.Publish(t, demo.Mail{ID: 1, Hold: true})
	<-a.Held
	c, out := command(t, a.Socket, "workers", "stop", "email-processing")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for a.Status().Workers[0].State != "stopping" {
		<-look.C
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := c.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 130 || !strings.Contains(out.String(), "interrupted; ") {
		t.Errorf("%v\n%s", err, out)
	}
}

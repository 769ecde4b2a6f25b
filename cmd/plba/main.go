// Command plba operates a running application: it shows what its control plane shows, and asks what can be asked of it.
//
//	plba status
//	plba workers restart email-processing --reason "new price list"
//	plba events --follow
//
// docs/operations/plba-command.md describes it; plba help lists the commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/plba/plba/cmd/plba/internal/cli"
	"github.com/plba/plba/cmd/plba/internal/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], term.Of(os.Stdin, os.Stdout, os.Stderr, os.Getenv), os.Getenv)
	stop()
	os.Exit(code)
}

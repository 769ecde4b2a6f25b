package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

// asJSON prints v as one document when that is asked for.
func (s *session) asJSON(v any) (done bool, err error) {
	if s.output != "json" {
		return false, nil
	}
	e := json.NewEncoder(s.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return true, e.Encode(v)
}

// say prints a sentence for people.
func (s *session) say(format string, args ...any) {
	fmt.Fprintln(s.Out, term.CleanLines(fmt.Sprintf(format, args...)))
}

// asking is what every command that changes something takes.
type asking struct {
	reason string
	noWait bool
}

func (a *asking) flags(c *cobra.Command, waits bool) *cobra.Command {
	c.Flags().StringVarP(&a.reason, "reason", "r", "", "`TEXT` that says why, for the log and the audit")
	if waits {
		c.Flags().BoolVar(&a.noWait, "no-wait", false, "do not wait until it is done")
	}
	return c
}

// confirm asks before what cannot be taken back. Without anybody to ask it wants --yes.
func (s *session) confirm(format string, args ...any) error {
	if s.yes {
		return nil
	}
	question := term.Clean(fmt.Sprintf(format, args...)) + " at " + s.target.Address
	if !s.Asks {
		return usagef("%s: there is no terminal to ask on; --yes says that it is meant", question)
	}
	fmt.Fprint(s.Err, s.Paint(term.Bold, question+"? [y/N] "))
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	return usagef("nothing was asked of the application")
}

// conclude waits for the end of an operation, unless that is not wanted, and says what came of it.
func (s *session) conclude(ctx context.Context, a asking, o *client.Operation, err error) error {
	if err != nil {
		return err
	}
	if o.State == client.OperationStateRunning && !a.noWait {
		ended, err := s.wait(ctx, o)
		if o.Exit && errors.As(err, new(*client.UnreachableError)) {
			if done, err := s.asJSON(o); done {
				return err
			}
			s.say("The process has ended, or is about to. Its log has the receipt.")
			return nil
		}
		if err != nil {
			return err
		}
		o = ended
	}
	if done, err := s.asJSON(o); done && err != nil {
		return err
	} else if !done {
		s.tellOperation(o)
	}
	if o.State == client.OperationStateFailed {
		return &failedError{o}
	}
	return nil
}

// wait shows that time goes by, where that can be shown without filling a log.
func (s *session) wait(ctx context.Context, o *client.Operation) (ended *client.Operation, err error) {
	began := s.Now()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for s.Lively {
			select {
			case <-stop:
				fmt.Fprint(s.Err, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(s.Err, "\r\x1b[K%s %s … %s", term.Clean(o.Asked), term.Clean(o.Target), term.Duration(s.Now().Sub(began).Round(time.Second)))
			}
		}
	}()
	ended, err = s.client.Wait(ctx, o)
	close(stop)
	<-done
	if err != nil && ctx.Err() != nil {
		return nil, &interruptedError{o.ID}
	}
	return ended, err
}

// tellOperation is one operation in a sentence, and its receipt.
func (s *session) tellOperation(o *client.Operation) {
	what := o.Asked
	for _, more := range []string{o.Target, o.Task} {
		if more != "" {
			what += " " + more
		}
	}
	switch o.State {
	case client.OperationStateRunning:
		s.say("%s has begun: operation %s", what, o.ID)
	case client.OperationStateSucceeded:
		text := what + ": done"
		if o.Tasks > 0 {
			text = fmt.Sprintf("%s: %s", what, counted(o.Tasks, "task"))
		}
		if took := o.EndedAt.Sub(o.At); took >= 100*time.Millisecond {
			text += " in " + term.Duration(took)
		}
		s.say("%s", text)
	case client.OperationStateFailed: // the error says it
	}
	if o.WorkerReceipt != nil && o.WorkerReceipt.Name != "" {
		s.Print(s.receipts([]client.WorkerReceipt{*o.WorkerReceipt}))
	}
	if o.Receipt != nil {
		s.tellReceipt(o.Receipt)
	}
}

// tellReceipt prints what a stop did, as the program itself does at its end.
func (s *session) tellReceipt(r *client.StopReceipt) {
	how, style := "clean", term.Good
	if !r.Clean {
		how, style = "NOT clean", term.Bad
	}
	why := ""
	if r.Reason != "" {
		why = " (" + term.Clean(r.Reason) + ")"
	}
	fmt.Fprintf(s.Out, "stopped in %s, %s%s\n", term.Seconds(r.TookSeconds), s.Paint(style, how), why)
	s.Print(s.receipts(r.Workers))
	for _, l := range r.Lost {
		s.say("  lost: %s of the volatile queue %q", counted(l.Tasks, "task"), l.Queue)
	}
	for _, f := range r.Faults {
		s.say("  fault: %s", f)
	}
}

func (s *session) receipts(list []client.WorkerReceipt) *term.Table {
	t := term.NewTable("WORKER", "OUTCOME", ">FINISHED", ">RETURNED", ">ABANDONED", ">TOOK", "ERROR")
	for _, w := range list {
		style := term.Good
		if w.Outcome != client.StopOutcomeDrained {
			style = term.Bad
		}
		t.Row(w.Name, term.Cell{Text: string(w.Outcome), Style: style}, w.Finished, w.Returned, w.Abandoned, term.Seconds(w.TookSeconds), w.Error)
	}
	return t
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// more says how to see what did not fit on a page.
func (s *session) more(flag, next string) {
	if next != "" {
		fmt.Fprintln(s.Err, s.Paint(term.Faint, "There are more: go on with "+flag+" "+term.Clean(next)))
	}
}

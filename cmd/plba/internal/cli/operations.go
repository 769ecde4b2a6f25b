package cli

import (
	"context"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

func (s *session) operations() *cobra.Command {
	return parent(&cobra.Command{Use: "operations", Aliases: []string{"operation", "ops"}, Short: "List what was asked of the application, look at one, wait for its end"},
		s.operationsList(), s.operationsShow())
}

func (s *session) operationsList() *cobra.Command {
	var p client.ListOperationsParams
	state := ""
	c := &cobra.Command{
		Use: "list", Short: "List operations, the latest first", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			p.State = client.OperationState(state)
			list, err := s.client.ListOperations(ctx, p)
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			t := term.NewTable("OPERATION", "AT", "ASKED", "TARGET", "TASK", "BY", "STATE", ">TOOK", "REASON", "ERROR")
			for _, o := range list.Operations {
				took := ""
				if !o.EndedAt.IsZero() {
					took = term.Duration(o.EndedAt.Sub(o.At))
				}
				t.Row(o.ID, s.Clock(o.At), o.Asked, o.Target, o.Task, o.By, term.Cell{Text: string(o.State), Style: operationStyle(o.State)}, took, o.Reason, o.Error)
			}
			s.printOr(t, len(list.Operations), "no operations")
			s.more("--before", list.Next)
			return nil
		}),
	}
	f := c.Flags()
	f.StringVar(&state, "state", "", "only those in this `STATE`: running, succeeded or failed")
	f.StringVar(&p.Asked, "asked", "", "only of this `KIND`, such as stopWorker")
	f.StringVar(&p.Target, "name", "", "only about the worker or queue `NAME`")
	f.StringVar(&p.Before, "before", "", "go on before this `ID`")
	f.Int64Var(&p.Limit, "limit", 20, "show `N` at most")
	return c
}

func operationStyle(state client.OperationState) term.Style {
	switch state {
	case client.OperationStateSucceeded:
		return term.Good
	case client.OperationStateFailed:
		return term.Bad
	case client.OperationStateRunning:
		return term.Warn
	}
	return term.Plain
}

func (s *session) operationsShow() *cobra.Command {
	wait := false
	c := &cobra.Command{
		Use: "show ID", Short: "Show an operation; --wait waits for its end first", Args: arguments(1, "the ID of an operation"),
		Long: "Show who asked for what, why, and what came of it. The code is 1 when the operation has failed.",
		RunE: s.do(func(ctx context.Context, args []string) error {
			o, err := s.client.GetOperation(ctx, args[0])
			if err != nil {
				return err
			}
			if s.output == "table" {
				s.say("operation %s by %s at %s%s", o.ID, o.By, s.Clock(o.At), because(o.Reason))
			}
			return s.conclude(ctx, asking{noWait: !wait}, o, nil)
		}),
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait for its end")
	return c
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (s *session) audit() *cobra.Command {
	var p client.ListAuditParams
	outcome := ""
	c := &cobra.Command{
		Use: "audit", Short: "List who asked for what, and what became of it (role admin)", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			p.Outcome = client.AuditOutcome(outcome)
			list, err := s.client.ListAudit(ctx, p)
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			t := term.NewTable("AT", "BY", "ROLE", "FROM", "ASKED", "TARGET", "TASK", "OUTCOME", ">SKIPPED", "WHY")
			for _, r := range list.Records {
				style := term.Good
				if r.Outcome != client.AuditOutcomeAccepted {
					style = term.Bad
				}
				from, why, skipped := r.From, r.Reason, ""
				if from == "" {
					from = r.Channel
				}
				if r.Detail != "" {
					why = r.Detail
				}
				if r.Skipped > 0 {
					skipped = counted(r.Skipped, "more")
				}
				t.Row(s.Clock(r.At), r.By, r.Role, from, r.Asked, r.Target, r.Task, term.Cell{Text: string(r.Outcome), Style: style}, skipped, why)
			}
			s.printOr(t, len(list.Records), "no records")
			s.more("--before", list.Next)
			return nil
		}),
	}
	f := c.Flags()
	f.StringVar(&p.By, "by", "", "only what `NAME` asked for")
	f.StringVar(&p.Asked, "asked", "", "only of this `KIND`, such as stopWorker")
	f.StringVar(&outcome, "outcome", "", "only what came to this `OUTCOME`: accepted, refused, denied or failed")
	f.StringVar(&p.Before, "before", "", "go on before this `ID`")
	f.Int64Var(&p.Limit, "limit", 50, "show `N` at most")
	return c
}

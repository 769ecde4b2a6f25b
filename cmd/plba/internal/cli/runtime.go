package cli

import (
	"context"

	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

func (s *session) start() *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: "start", Short: "Start the runtime of an application whose process is up", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			o, err := s.client.StartRuntime(ctx, client.ReasonBody{Reason: a.reason})
			return s.conclude(ctx, a, o, err)
		}),
	}, true)
}

func (s *session) stop() *cobra.Command {
	var a stopping
	exit := false
	c := a.flags(&cobra.Command{
		Use: "stop", Short: "Stop the application's work, wait for its end and show the receipt",
		Long: "Intake ends first, work in flight finishes, and the receipt tells what became of each worker. The process and its control plane stay up (plba start begins again),\n" +
			"unless --exit ends them too. The code is 1 when something was forced, lost or abandoned.",
		Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			question := "Stop the application"
			if a.force {
				question += " and cancel its work in flight"
			}
			if exit {
				question += " and end its process"
			}
			if err := s.confirm("%s", question); err != nil {
				return err
			}
			o, err := s.client.StopRuntime(ctx, client.StopBody{Mode: a.mode(), Timeout: a.budget(), Exit: exit, Reason: a.reason})
			return s.conclude(ctx, a.asking, o, err)
		}),
	})
	c.Flags().BoolVar(&exit, "exit", false, "end the process too")
	return c
}

func (s *session) reload() *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: "reload", Short: "Let the application read its configuration again (role admin)", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			o, err := s.client.ReloadConfiguration(ctx, client.ReasonBody{Reason: a.reason})
			return s.conclude(ctx, a, o, err)
		}),
	}, true)
}

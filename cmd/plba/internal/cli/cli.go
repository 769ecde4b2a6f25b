package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/plba/plba/cmd/plba/internal/target"
	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

// session is one run of the command.
type session struct {
	*term.Terminal
	getenv func(string) string
	flags  target.Flags
	output string // table or json
	yes    bool

	target target.Target
	client *client.Client
}

// Run does what the arguments say and gives the code to end with. The end of ctx ends it.
func Run(ctx context.Context, args []string, t *term.Terminal, getenv func(string) string) int {
	s := &session{Terminal: t, getenv: getenv}
	root := s.root()
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if s.client != nil {
		s.client.Close()
	}
	if err != nil && ctx.Err() != nil {
		err = interrupted(err)
	}
	code := codeOf(err)
	if err != nil && code != Unhealthy {
		s.complain(ran, err, code)
	}
	return int(code)
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "plba",
		Short: "Operate a running application",
		Long: "plba shows what a running application on PLBA does, and asks it to do otherwise.\n\n" +
			"It finds the application by --address, --target, PLBA_ADDRESS, PLBA_TARGET or the configuration file\n(" + target.DefaultFile(s.getenv) + "), and else at " + target.Default + ".\n" +
			"Everything that changes something needs a token: --token-file, PLBA_TOKEN, or the configuration file.",
		Args:          arguments(0, ""),
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	f := root.PersistentFlags()
	f.StringVarP(&s.flags.Address, "address", "a", "", "`URL` of the application: http://, https:// or unix:///")
	f.StringVarP(&s.flags.Target, "target", "t", "", "`NAME` of a target of the configuration file")
	f.StringVar(&s.flags.Config, "config", "", "the configuration `FILE`")
	f.StringVar(&s.flags.Token, "token", "", "the `TOKEN`; others on this machine can see it: better --token-file or PLBA_TOKEN")
	f.StringVar(&s.flags.TokenFile, "token-file", "", "`FILE` that holds the token")
	f.StringVar(&s.flags.CA, "ca", "", "`FILE` with the authorities of the server's certificate")
	f.StringVar(&s.flags.Cert, "cert", "", "`FILE` with a client certificate")
	f.StringVar(&s.flags.Key, "key", "", "`FILE` with its key")
	f.StringVarP(&s.output, "output", "o", "table", "`FORM` of the output: table or json")
	f.BoolVarP(&s.yes, "yes", "y", false, "do not ask before what cannot be taken back")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there

	root.AddGroup(&cobra.Group{ID: "see", Title: "See what it does:"}, &cobra.Group{ID: "act", Title: "Make it do something:"})
	for _, c := range []*cobra.Command{s.status(), s.health(), s.events(), s.traces(), s.pipelines(), s.operations(), s.audit()} {
		c.GroupID = "see"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{s.workers(), s.queues(), s.start(), s.stop(), s.reload()} {
		c.GroupID = "act"
		root.AddCommand(c)
	}
	root.AddCommand(&cobra.Command{Use: "version", Short: "Show the version of this command", Args: arguments(0, ""), RunE: func(*cobra.Command, []string) error {
		version := "unknown"
		if info, ok := debug.ReadBuildInfo(); ok {
			version = info.Main.Version
		}
		fmt.Fprintln(s.Out, "plba", version)
		return nil
	}})
	return root
}

// do makes a command's function of what it does with the client.
func (s *session) do(what func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if s.output != "table" && s.output != "json" {
			return usagef("--output %s: use table or json", s.output)
		}
		if err := s.connect(); err != nil {
			return err
		}
		return what(c.Context(), args)
	}
}

func (s *session) connect() (err error) {
	if s.target, err = target.Find(s.flags, s.getenv); err == nil {
		s.client, err = s.target.Client()
	}
	return err
}

// parent is a command that has others, and does what its first one does when none is named.
func parent(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.Args = arguments(0, "")
	c.RunE = subs[0].RunE
	c.Flags().AddFlagSet(subs[0].Flags())
	c.AddCommand(subs...)
	return c
}

// arguments checks how many there are. A command that takes none takes one for a misspelt command.
func arguments(n int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == n:
			return nil
		case n == 0 && c.HasSubCommands():
			hint := ""
			c.SuggestionsMinimumDistance = 2
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
			}
			return usagef("there is no command %q in %q%s", args[0], c.CommandPath(), hint)
		case n == 0:
			return usagef("%s takes no arguments, got %q", c.CommandPath(), args)
		case len(args) < n:
			return usagef("%s needs %s", c.CommandPath(), names)
		}
		return usagef("%s takes %s only, got %q", c.CommandPath(), names, args)
	}
}

// complain says what was wrong, and what to do.
func (s *session) complain(c *cobra.Command, err error, code Code) {
	fmt.Fprintln(s.Err, s.Paint(term.Bad, "plba:"), term.CleanLines(s.explain(err)))
	for _, hint := range s.hints(c, err, code) {
		fmt.Fprintln(s.Err, "  "+term.CleanLines(hint))
	}
}

func (s *session) explain(err error) string {
	var (
		ended       *interruptedError
		unreachable *client.UnreachableError
		refused     *client.Error
	)
	switch {
	case errors.As(err, &ended):
		return ended.Error()
	case errors.As(err, &unreachable):
		return fmt.Sprintf("no answer from %s: %v", unreachable.Address, unreachable.Err)
	case errors.As(err, &refused):
		return refused.Error()
	}
	return err.Error()
}

func (s *session) hints(c *cobra.Command, err error, code Code) (hints []string) {
	var refused *client.Error
	errors.As(err, &refused)
	switch {
	case code == Usage && !errors.As(err, new(*target.Error)):
		hints = append(hints, "See "+c.CommandPath()+" --help.")
	case code == Unreachable:
		hints = append(hints, fmt.Sprintf("The address is from %s. Does the application run there (platform.control.listen, platform.control.socket.path)?", s.target.From),
			"Another one is given by --address, --target or PLBA_ADDRESS.")
		if strings.Contains(err.Error(), "certificate signed by unknown authority") {
			hints = []string{"Give the authority of its certificate with --ca FILE."}
		}
	case errors.Is(err, client.ErrUnauthenticated) && s.target.TokenFrom == "":
		hints = append(hints, "Give a token with --token-file, PLBA_TOKEN or the configuration file.", "An application without configured tokens shows one on its terminal when it starts.")
	case errors.Is(err, client.ErrUnauthenticated), errors.Is(err, client.ErrDenied):
		if s.target.TokenFrom != "" {
			hints = append(hints, "The token is from "+s.target.TokenFrom+".")
		}
	case errors.Is(err, client.ErrConflict) && len(refused.Allowed) > 0:
		hints = append(hints, fmt.Sprintf("It is %s; what is asked for needs: %s.", refused.State, strings.Join(refused.Allowed, ", ")))
	}
	var unknown *unknownName
	if errors.As(err, &unknown) {
		if near := nearest(unknown.name, unknown.known); near != "" {
			hints = append(hints, fmt.Sprintf("Did you mean %s?", near))
		}
	}
	return slices.Compact(hints)
}

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/plba/plba/pipeline"
	"github.com/spf13/cobra"
)

func (s *session) pipelines() *cobra.Command {
	return parent(&cobra.Command{Use: "pipelines", Aliases: []string{"pipeline", "p"}, Short: "List the pipelines, see what happens at each stage of one, draw one"},
		s.pipelinesList(), s.pipelinesShow(), s.pipelinesGraph())
}

func (s *session) pipelinesList() *cobra.Command {
	after := ""
	c := &cobra.Command{
		Use: "list", Short: "List the pipelines", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			list, err := s.client.ListPipelines(ctx, client.ListPipelinesParams{After: after})
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			t := term.NewTable("PIPELINE", ">STAGES", ">INSIDE", ">DONE", ">FAILED", ">DROPPED", ">RETRIED", ">MEAN", "TAKES", "GIVES")
			for _, p := range list.Pipelines {
				t.Row(append(append([]any{p.Name, p.Stages}, stageCounts(p.Counters)...), p.In, p.Out)...)
			}
			s.printOr(t, len(list.Pipelines), "no pipelines")
			s.more("--after", list.Next)
			return nil
		}),
	}
	c.Flags().StringVar(&after, "after", "", "go on after this `NAME`")
	return c
}

// stageCounts are the cells of INSIDE, DONE, FAILED, DROPPED, RETRIED and MEAN.
func stageCounts(c client.StageCounters) []any {
	failed := term.Cell{Text: fmt.Sprint(c.Failed)}
	if c.Failed > 0 {
		failed.Style = term.Bad
	}
	return []any{c.InFlight, c.Done, failed, c.Dropped, c.Retried, term.Seconds(c.MeanSeconds)}
}

func (s *session) pipelinesShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show what has happened at each stage of a pipeline since the process began", Args: arguments(1, "the NAME of a pipeline"),
		ValidArgsFunction: s.completion(pipelineNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			g, err := s.client.GetPipeline(ctx, args[0])
			if err != nil {
				return s.named(ctx, err, args[0], pipelineNames)
			}
			if done, err := s.asJSON(g); done {
				return err
			}
			t := term.NewTable("STAGE", "KIND", ">INSIDE", ">DONE", ">FAILED", ">DROPPED", ">RETRIED", ">MEAN")
			for _, n := range stagesOf(g) {
				t.Row(append([]any{n.indented, n.Kind}, stageCounts(n.Counters)...)...)
			}
			s.Print(t)
			return nil
		}),
	}
}

// stage is a node at its place in the tree.
type stage struct {
	client.PipelineNode

	indented string
}

// stagesOf are in the order of the tree.
func stagesOf(g *client.PipelineDetail) (stages []stage) {
	depth := map[string]int{}
	for _, n := range g.Nodes {
		if n.Parent != "" {
			depth[n.ID] = depth[n.Parent] + 1
		}
		stages = append(stages, stage{n, strings.Repeat("  ", depth[n.ID]) + n.Name})
	}
	return stages
}

func (s *session) pipelinesGraph() *cobra.Command {
	mermaid := false
	c := &cobra.Command{
		Use: "graph NAME", Short: "Draw a pipeline as a tree of its stages, or as Mermaid", Args: arguments(1, "the NAME of a pipeline"),
		ValidArgsFunction: s.completion(pipelineNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			g, err := s.client.GetPipeline(ctx, args[0])
			if err != nil {
				return s.named(ctx, err, args[0], pipelineNames)
			}
			if mermaid {
				return s.asMermaid(g)
			}
			if done, err := s.asJSON(g); done {
				return err
			}
			s.showGraph(g)
			return nil
		}),
	}
	c.Flags().BoolVar(&mermaid, "mermaid", false, "print it as a Mermaid flowchart")
	return c
}

// asMermaid draws with the library's own pen, so that it is the same drawing everywhere.
func (s *session) asMermaid(g *client.PipelineDetail) error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	var own pipeline.Graph
	if err := json.Unmarshal(text, &own); err != nil {
		return fmt.Errorf("the graph cannot be drawn: %w", err)
	}
	s.say("%s", strings.TrimSuffix(own.Mermaid(), "\n"))
	return nil
}

// showGraph prints the stages as a tree, in their order, and below it the ways between stages that are not the next one.
func (s *session) showGraph(g *client.PipelineDetail) {
	s.say("%s takes %s and gives %s", g.Name, g.In, g.Out)
	t := term.NewTable("STAGE", "KIND", "TAKES", "GIVES", "POLICIES")
	for _, n := range stagesOf(g) {
		var policies []string
		for _, name := range slices.Sorted(maps.Keys(n.Policies)) {
			policies = append(policies, strings.TrimSpace(name+" "+n.Policies[name]))
		}
		t.Row(n.indented, n.Kind, n.In, n.Out, strings.Join(policies, ", "))
	}
	s.Print(t)
	side := term.NewTable("FROM", "TO", "WITH", "WHEN")
	rows := 0
	for _, e := range g.Edges {
		if e.Label != "" {
			side.Row(e.From, e.To, e.Type, e.Label)
			rows++
		}
	}
	if rows > 0 {
		fmt.Fprintln(s.Out)
		s.Print(side)
	}
}

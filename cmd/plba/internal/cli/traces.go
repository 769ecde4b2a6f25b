package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

func (s *session) traces() *cobra.Command {
	return parent(&cobra.Command{Use: "traces", Aliases: []string{"trace"}, Short: "List recent traces, show one"}, s.tracesList(), s.tracesShow())
}

func (s *session) tracesList() *cobra.Command {
	p := client.ListTracesParams{}
	kind := ""
	c := &cobra.Command{
		Use: "list", Short: "List recent traces, the one with the latest news first", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			p.Kind = client.TraceKind(kind)
			list, err := s.client.ListTraces(ctx, p)
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			t := term.NewTable("TRACE", "START", "KIND", "NAME", ">TOOK", ">SPANS", ">ERRORS", "DETAIL")
			for _, tr := range list.Traces {
				errs := term.Cell{Text: fmt.Sprint(tr.Errors)}
				if tr.Errors > 0 {
					errs.Style = term.Bad
				}
				t.Row(tr.TraceID, s.Clock(tr.Start), tr.Kind, tr.Name, term.Seconds(tr.DurationSeconds), tr.SpanCount, errs, tr.Detail)
			}
			s.printOr(t, len(list.Traces), "no traces")
			return nil
		}),
	}
	c.Flags().StringVar(&kind, "kind", "business", "traces of this `KIND`: business, transition, or \"\" for all")
	c.Flags().Int64Var(&p.Limit, "limit", 20, "show `N` at most")
	return c
}

func (s *session) tracesShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a trace as the tree of its spans", Args: arguments(1, "the ID of a trace"),
		RunE: s.do(func(ctx context.Context, args []string) error {
			t, err := s.client.GetTrace(ctx, args[0])
			if err != nil {
				return err
			}
			if done, err := s.asJSON(t); done {
				return err
			}
			s.say("%s %s, %s, %s at %s", t.Kind, t.Name, counted(t.SpanCount, "span"), term.Seconds(t.DurationSeconds), s.Clock(t.Start))
			s.Print(s.spans(t))
			if t.DroppedSpans > 0 {
				s.say("  %s more were not kept", counted(t.DroppedSpans, "span"))
			}
			return nil
		}),
	}
}

// spans are in the order of the tree.
func (s *session) spans(t *client.Trace) *term.Table {
	table := term.NewTable("SPAN", ">AFTER", ">TOOK", "STATUS", "DETAIL")
	depth := map[string]int{}
	for _, sp := range t.Spans {
		if d, ok := depth[sp.ParentID]; ok {
			depth[sp.SpanID] = d + 1
		} else {
			depth[sp.SpanID] = 0
		}
		status := term.Cell{Text: sp.Status}
		if strings.EqualFold(sp.Status, "error") {
			status.Style = term.Bad
		} else {
			status.Text = ""
		}
		detail := sp.StatusMessage
		if detail == "" {
			detail = attributes(sp.Attributes)
		}
		table.Row(strings.Repeat("  ", depth[sp.SpanID])+sp.Name, term.Duration(sp.Start.Sub(t.Start)), term.Seconds(sp.DurationSeconds), status, detail)
	}
	return table
}

func attributes(all map[string]any) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprintf("%s=%v", name, all[name]))
	}
	return strings.Join(list, " ")
}

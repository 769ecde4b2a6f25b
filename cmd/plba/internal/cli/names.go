package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

// naming lists the names of a kind of things, for completion and for who misspells one.
type naming func(ctx context.Context, c *client.Client) ([]string, error)

const allNames = 1000

func workerNames(ctx context.Context, c *client.Client) (names []string, err error) {
	list, err := c.ListWorkers(ctx, client.ListWorkersParams{Limit: allNames})
	if err != nil {
		return nil, err
	}
	for _, w := range list.Workers {
		names = append(names, w.Name)
	}
	return names, nil
}

func queueNames(ctx context.Context, c *client.Client) (names []string, err error) {
	list, err := c.ListQueues(ctx, client.ListQueuesParams{Limit: allNames})
	if err != nil {
		return nil, err
	}
	for _, q := range list.Queues {
		names = append(names, q.Name)
	}
	return names, nil
}

func pipelineNames(ctx context.Context, c *client.Client) (names []string, err error) {
	list, err := c.ListPipelines(ctx, client.ListPipelinesParams{Limit: allNames})
	if err != nil {
		return nil, err
	}
	for _, p := range list.Pipelines {
		names = append(names, p.Name)
	}
	return names, nil
}

// completion completes the first argument.
func (s *session) completion(names naming) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 || s.connect() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
		defer cancel()
		list, err := names(ctx, s.client)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError | cobra.ShellCompDirectiveNoFileComp
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// unknownName is a refusal of a name, with the names that there are.
type unknownName struct {
	error

	name  string
	known []string
}

// Unwrap gives the refusal.
func (e *unknownName) Unwrap() error { return e.error }

// named adds to a refusal of a name what names there are.
func (s *session) named(ctx context.Context, err error, name string, names naming) error {
	if !errors.Is(err, client.ErrNotFound) {
		return err
	}
	known, failed := names(ctx, s.client)
	if failed != nil || slices.Contains(known, name) { // it is about something else
		return err
	}
	return &unknownName{err, name, known}
}

// nearest is the name that differs least, if it differs little.
func nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

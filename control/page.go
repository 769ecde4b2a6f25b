package control

import (
	"fmt"
	"slices"
)

// The bounds of pages.
const (
	defaultPage = 100
	maxPage     = 1000
)

// pageSize bounds what is asked for.
func pageSize(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, invalid("limit", fmt.Sprintf("limit must be at least 1, not %d", limit))
	case limit == 0:
		return defaultPage, nil
	}
	return min(limit, maxPage), nil
}

// page gives up to limit things behind the one named after, of those that get wants, and the name that goes on, "" at the end.
func page[T any](names []string, after string, limit int, get func(string) (T, bool)) (list []T, next string, err error) {
	limit, err = pageSize(limit)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		at := slices.Index(names, after)
		if at < 0 {
			return nil, "", invalid("after", "there is nothing of that name to go on after")
		}
		names = names[at+1:]
	}
	list = []T{}
	for i, name := range names {
		if len(list) == limit {
			return list, names[i-1], nil
		}
		if v, ok := get(name); ok {
			list = append(list, v)
		}
	}
	return list, "", nil
}

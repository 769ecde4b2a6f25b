package health

import (
	"errors"
	"fmt"
	"strings"
)

// ErrDuplicate is returned, wrapped with the name, when a component is
// registered under a name that is taken.
var ErrDuplicate = errors.New("the name is taken")

// AbandonedError says what [Registry.Stop] did not wait for any longer. It is
// returned as a pointer and unwraps to the error of the context that ended.
type AbandonedError struct {
	Checks   []string // names of the checks that have not returned, in order of registration
	Callback bool     // the change callback has not returned
	Err      error    // why Stop did not wait longer
}

func (e *AbandonedError) Error() string {
	var parts []string
	if len(e.Checks) > 0 {
		parts = append(parts, "these checks have not returned: "+strings.Join(e.Checks, ", "))
	}
	if e.Callback {
		parts = append(parts, "the change callback has not returned")
	}
	return fmt.Sprintf("health: stopped without waiting any longer: %s: %v", strings.Join(parts, "; "), e.Err)
}

// Unwrap returns the error of the context that ended.
func (e *AbandonedError) Unwrap() error { return e.Err }

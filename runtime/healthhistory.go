package runtime

import (
	"slices"
	"sync"

	"github.com/plba/plba/health"
)

// keptChanges is how many changes of health are remembered.
const keptChanges = 100

// healthHistory remembers the last changes of health.
type healthHistory struct {
	mu   sync.Mutex
	list []health.Change // oldest first
}

func (h *healthHistory) add(c health.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) == keptChanges {
		h.list = slices.Delete(h.list, 0, 1)
	}
	h.list = append(h.list, c)
}

// HealthHistory gives the last 100 changes of health with their causes, oldest first: of each component, and of the application as a whole (with an empty
// name). It goes on over stop and start. What a worker reports of itself is looked at every second while the application is up, so what lasts shorter may be missing.
func (a *App) HealthHistory() []health.Change {
	a.changes.mu.Lock()
	defer a.changes.mu.Unlock()
	return slices.Clone(a.changes.list)
}

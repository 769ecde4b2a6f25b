package memory_test

import (
	"testing"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/queue/queuetest"
)

func TestConformance(t *testing.T) {
	for name, driver := range map[string]queue.Driver{"values": memory.Driver(), "encoded": memory.Driver(memory.Encoded())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queuetest.Run(t, driver, nil)
		})
	}
}

func TestConformanceInVirtualTime(t *testing.T) { queuetest.Virtual(t, memory.Driver(), nil) }

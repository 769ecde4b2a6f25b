package memory_test

import (
	"testing"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/queue/queuetest"
)

func open(driver queue.Driver) func(t *testing.T) queue.Engine {
	return func(t *testing.T) queue.Engine {
		engine, err := driver.Open(t.Context(), "tests", &memory.Settings{Capacity: 200, DeadLetters: 20})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}
}

func TestConformance(t *testing.T) {
	for name, driver := range map[string]queue.Driver{"values": memory.Driver(), "encoded": memory.Driver(memory.Encoded())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queuetest.Run(t, open(driver), driver.Capabilities())
		})
	}
}

func TestConformanceInVirtualTime(t *testing.T) {
	driver := memory.Driver()
	queuetest.Virtual(t, open(driver), driver.Capabilities())
}

package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/queuetest"
)

func ownFile(t *testing.T) queue.Settings {
	return &Settings{Path: filepath.Join(t.TempDir(), "queue.db")}
}

func TestConformance(t *testing.T) {
	inMemory(t)
	queuetest.Run(t, Driver(), ownFile)
}

// In a bubble time stands still while anything is at work, so an engine that finds itself something to do all the time never gets through.
func TestConformanceInVirtualTime(t *testing.T) {
	inMemory(t)
	queuetest.Virtual(t, Driver(), ownFile)
}

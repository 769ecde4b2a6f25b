package queue

import (
	"fmt"
	"strings"
)

// Capabilities is a set of what an engine can do beyond the contract that all engines keep.
type Capabilities uint

const (
	// Durable: a published task survives the process and the machine's power.
	Durable Capabilities = 1 << iota
	// Transactional: publishing can be part of a transaction of the application's own database.
	Transactional
	// Grouped: tasks with one group key are limited and ordered among themselves.
	Grouped
	// Checkpointed: values can be kept with a task over its attempts.
	Checkpointed
	// ClusterWide: several processes, on several machines, share the queue.
	ClusterWide
	// InProcess: values travel as they are, without being encoded.
	InProcess
)

var capabilityNames = []string{"durable", "transactional", "grouped", "checkpointed", "cluster-wide", "in-process"}

// Missing is what c lacks of want; 0 when it has all of it.
func (c Capabilities) Missing(want Capabilities) Capabilities { return want &^ c }

// String lists the names: "durable, checkpointed"; "none" for the empty set.
func (c Capabilities) String() string {
	var names []string
	for i, name := range capabilityNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := c >> len(capabilityNames); rest != 0 {
		names = append(names, fmt.Sprintf("unknown(%#x)", uint(rest<<len(capabilityNames))))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

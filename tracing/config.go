package tracing

import (
	"errors"
	"fmt"
	"strings"
)

// Names of the built-in transports, as Config.Transport takes them.
const (
	TransportNone   = "none"   // nothing is recorded; costs nothing
	TransportStdout = "stdout" // one JSON line a span
	TransportMemory = "memory" // the recent traces, kept in the process for the control plane
)

const maxRecent = 10_000

// Config is the section platform.tracing.
type Config struct {
	// Transport is where finished spans go: none (default), stdout or memory.
	Transport string `koanf:"transport"`
	// Ratio is the share of business traces that is recorded, 0 to 1 (default 1). A trace that another process began
	// keeps the decision taken there. Transition spans are recorded at every ratio.
	Ratio float64 `koanf:"ratio"`
	// Recent is how many business traces, and apart from them how many transitions, the transport memory keeps, 1 to
	// 10000 (default 200). The other transports keep nothing.
	Recent int `koanf:"recent"`
}

// SetDefaults fills c with the defaults, whatever it held before.
func (c *Config) SetDefaults() {
	*c = Config{Transport: TransportNone, Ratio: 1, Recent: 200}
}

// Validate names every setting that cannot be used, all at once.
func (c *Config) Validate() error {
	var faults []error
	if !builtIn(c.Transport) {
		faults = append(faults, fmt.Errorf("transport: %q is not known (use %s)", c.Transport,
			strings.Join([]string{TransportNone, TransportStdout, TransportMemory}, ", ")))
	}
	if !(c.Ratio >= 0 && c.Ratio <= 1) { // so that NaN fails too
		faults = append(faults, fmt.Errorf("ratio: %v is not between 0 and 1", c.Ratio))
	}
	if c.Recent < 1 || c.Recent > maxRecent {
		faults = append(faults, fmt.Errorf("recent: %d is not between 1 and %d", c.Recent, maxRecent))
	}
	return errors.Join(faults...)
}

func builtIn(name string) bool {
	return name == TransportNone || name == TransportStdout || name == TransportMemory
}

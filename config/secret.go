package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask stands for a secret wherever one would be printed.
const mask = "***"

// Secret is a text that does not show itself: fmt with any verb, slog, JSON and other text encodings print ***.
// Only [Secret.Reveal] gives the text. (Packages that must not import this one use a string field with the tag
// secret:"true", which keeps the value out of configuration errors.)
//
// One gap is left to the language: fmt cannot call methods of unexported struct fields, so keep secrets in
// exported ones.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns ***.
func (Secret) String() string { return mask }

// GoString returns ***.
func (Secret) GoString() string { return mask }

// Format writes *** for every verb, also for those that do not use String, such as %d.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue returns *** for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns ***.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// MarshalJSON returns "***".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

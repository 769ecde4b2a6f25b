package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Formats that a log line can have.
const (
	FormatText = "text" // key=value pairs, for people
	FormatJSON = "json" // one JSON object a line, for machines
)

// levels are the names a configuration may use, from the most to the least talkative.
var levels = []struct {
	name  string
	level slog.Level
}{
	{"debug", slog.LevelDebug},
	{"info", slog.LevelInfo},
	{"warn", slog.LevelWarn},
	{"error", slog.LevelError},
}

// Config is the log section of the configuration. An empty field means its default.
type Config struct {
	// Level is the least level that is written: debug, info, warn or error. Default: info.
	Level string `koanf:"level"`
	// Format is text or json. Default: text.
	Format string `koanf:"format"`
}

// SetDefaults sets level info and format text.
func (c *Config) SetDefaults() { *c = Config{Level: "info", Format: FormatText} }

// Validate reports every field whose value is not one of the allowed ones.
func (c *Config) Validate() error {
	_, errLevel := ParseLevel(c.Level)
	return errors.Join(errLevel, validateFormat(c.Format))
}

// ParseLevel returns the level of that name, debug, info, warn or error; "" is info. The error names them.
func ParseLevel(name string) (slog.Level, error) {
	if name == "" {
		return slog.LevelInfo, nil
	}
	names := make([]string, 0, len(levels))
	for _, l := range levels {
		if l.name == name {
			return l.level, nil
		}
		names = append(names, l.name)
	}
	return 0, fmt.Errorf("level %q is not one of %s", name, strings.Join(names, ", "))
}

func validateFormat(name string) error {
	formats := []string{FormatText, FormatJSON}
	if name == "" || slices.Contains(formats, name) {
		return nil
	}
	return fmt.Errorf("format %q is not one of %s", name, strings.Join(formats, ", "))
}

package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Manager holds the logger of a program and the level it writes at. Make one with [New].
type Manager struct {
	logger *slog.Logger
	level  slog.LevelVar
}

// New returns a manager whose logger writes to w. Each record is one call of w.Write, and calls never overlap.
// Errors: a level or format that does not exist, or no writer.
func New(cfg Config, w io.Writer) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("logging: %w", err)
	}
	if w == nil {
		return nil, errors.New("logging: no writer to write the log to")
	}
	level, err := ParseLevel(cfg.Level)
	if err != nil {
		return nil, fmt.Errorf("logging: %w", err)
	}
	m := &Manager{}
	m.level.Set(level)
	m.logger = slog.New(traced{next: newHandler(cfg.Format, w, &m.level)})
	return m, nil
}

func newHandler(format string, w io.Writer, level slog.Leveler) slog.Handler {
	opts := &slog.HandlerOptions{Level: level}
	if format == FormatJSON {
		return slog.NewJSONHandler(escaper{w}, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// Logger returns the logger; it is the same one at every call.
func (m *Manager) Logger() *slog.Logger { return m.logger }

// Level returns the least level that is written now.
func (m *Manager) Level() slog.Level { return m.level.Level() }

// SetLevel changes the least level that is written, for all loggers derived from this manager.
func (m *Manager) SetLevel(l slog.Level) { m.level.Set(l) }

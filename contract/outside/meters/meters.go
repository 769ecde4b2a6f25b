// Package meters books the readings of electricity meters: files of "meter;kWh" lines dropped into a folder become totals
// per meter in a ledger. It knows nothing of the platform that runs it.
package meters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config is the application's section of the configuration.
type Config struct {
	Inbox  string        `koanf:"inbox"`  // folder that is scanned for *.csv
	Ledger string        `koanf:"ledger"` // JSON file, made when missing
	Every  time.Duration `koanf:"every"`  // time between two scans
}

// SetDefaults fills in what most installations leave.
func (c *Config) SetDefaults() { c.Every = time.Minute }

// Validate refuses what cannot work.
func (c *Config) Validate() error {
	if c.Inbox == "" || c.Ledger == "" {
		return errors.New("inbox and ledger must both be set")
	}
	return nil
}

// File names a file of the inbox.
type File struct{ Name string }

// Line is one line of a file, as it was read.
type Line struct {
	File   string
	Number int
	Text   string
}

// Reading is what one line says.
type Reading struct {
	File  string
	Meter string
	KWh   float64
}

// BadLine is a line that no repetition makes better.
type BadLine struct {
	Line   Line
	Reason string
}

func (e *BadLine) Error() string {
	return fmt.Sprintf("%s:%d: %s: %q", e.Line.File, e.Line.Number, e.Reason, e.Line.Text)
}

// Permanent tells whoever repeats failed work not to.
func (e *BadLine) Permanent() bool { return true }

// Outlet is where a scan hands over the files it found.
type Outlet interface {
	Publish(ctx context.Context, f File) error
}

// Office reads the inbox and keeps the ledger. It is safe for concurrent use.
type Office struct {
	cfg Config

	mu     sync.Mutex
	ledger ledger
	handed map[string]bool // files handed over since Open
}

type ledger struct {
	Files  map[string]bool    `json:"files"`
	Totals map[string]float64 `json:"totals"`
}

// New makes an office; nothing is read before Open.
func New(cfg Config) *Office { return &Office{cfg: cfg} }

// Inbox is the folder that is scanned.
func (o *Office) Inbox() string { return o.cfg.Inbox }

// Open reads the ledger.
func (o *Office) Open(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handed = map[string]bool{}
	o.ledger = ledger{Files: map[string]bool{}, Totals: map[string]float64{}}
	data, err := os.ReadFile(o.cfg.Ledger)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &o.ledger); err != nil {
		return fmt.Errorf("ledger %s: %w", o.cfg.Ledger, err)
	}
	return nil
}

// Scan hands over the files that are neither booked nor handed over before, and returns how many those were.
func (o *Office) Scan(ctx context.Context, out Outlet) (found int, err error) {
	paths, err := filepath.Glob(filepath.Join(o.cfg.Inbox, "*.csv"))
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		name := filepath.Base(path)
		if o.known(name) {
			continue
		}
		if err := out.Publish(ctx, File{Name: name}); err != nil {
			return found, err
		}
		o.mu.Lock()
		o.handed[name] = true
		o.mu.Unlock()
		found++
	}
	return found, nil
}

func (o *Office) known(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.handed[name] || o.ledger.Files[name]
}

// Read splits a file into its lines; empty ones are left out.
func (o *Office) Read(_ context.Context, f File) ([]Line, error) {
	data, err := os.ReadFile(filepath.Join(o.cfg.Inbox, filepath.Base(f.Name)))
	if err != nil {
		return nil, err
	}
	var lines []Line
	for i, text := range strings.Split(string(data), "\n") {
		if text = strings.TrimSpace(text); text != "" {
			lines = append(lines, Line{File: f.Name, Number: i + 1, Text: text})
		}
	}
	return lines, nil
}

// Parse reads one line.
func Parse(_ context.Context, l Line) (Reading, error) {
	meter, kwh, ok := strings.Cut(l.Text, ";")
	if !ok {
		return Reading{}, &BadLine{Line: l, Reason: "want meter;kWh"}
	}
	n, err := strconv.ParseFloat(kwh, 64)
	if err != nil || n < 0 {
		return Reading{}, &BadLine{Line: l, Reason: "the reading is not a number of kWh"}
	}
	return Reading{File: l.File, Meter: meter, KWh: n}, nil
}

// Book adds the readings of one file to the ledger and writes it; a file counts once, however often it comes.
func (o *Office) Book(_ context.Context, rs []Reading) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := ledger{Files: maps.Clone(o.ledger.Files), Totals: maps.Clone(o.ledger.Totals)}
	for _, r := range rs {
		if !o.ledger.Files[r.File] {
			next.Files[r.File] = true
			next.Totals[r.Meter] += r.KWh
		}
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	tmp := o.cfg.Ledger + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, o.cfg.Ledger); err != nil {
		return err
	}
	o.ledger = next
	return nil
}

// Totals returns the kWh booked for each meter.
func (o *Office) Totals() map[string]float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.ledger.Totals)
}

// Command rates serves exchange rates that it reads from a file every now and then. It has no queue: a poll, a server, and a check that keeps requests away
// until there is something to serve.
//
//	go run ./examples/rates
//	curl 127.0.0.1:7001/USD
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

type settings struct {
	File   string        `koanf:"file"`
	Every  time.Duration `koanf:"every"`
	Listen string        `koanf:"listen"`
}

func (s *settings) SetDefaults() {
	*s = settings{File: "examples/rates/rates.csv", Every: 10 * time.Second, Listen: "127.0.0.1:7001"}
}

type table struct {
	rates map[string]float64
	read  time.Time
}

type module struct {
	out      io.Writer
	settings settings
	table    atomic.Pointer[table] // nil before the first reading
}

func (*module) Name() string { return "rates" }

func (m *module) Register(r *plba.Registry) (err error) {
	if m.settings, err = plba.Section[settings](r, "rates"); err != nil {
		return err
	}
	r.Health("fresh", m.fresh, plba.Startup(), plba.Readiness(), plba.Every(time.Second))
	r.Worker(workers.Poll("reading", m.settings.Every, m.read))
	r.Worker(workers.Serve("web", m.settings.Listen, m, workers.OnListen(func(a net.Addr) { fmt.Fprintf(m.out, "serving on %s\n", a) })), plba.Critical())
	return nil
}

// fresh holds /startupz until the rates were read once, and /readyz while they are too old to be given out.
func (m *module) fresh(context.Context) error {
	t := m.table.Load()
	if t == nil {
		return errors.New("no rates have been read yet")
	}
	switch age := time.Since(t.read); {
	case age > 30*m.settings.Every:
		return fmt.Errorf("the rates are %s old", age.Round(time.Second))
	case age > 3*m.settings.Every:
		return health.Degraded(fmt.Errorf("the rates are %s old", age.Round(time.Second)))
	}
	return nil
}

func (m *module) read(context.Context) (int, error) {
	f, err := os.Open(m.settings.File)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := csv.NewReader(f)
	lines.FieldsPerRecord = 2
	records, err := lines.ReadAll()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", m.settings.File, err)
	}
	t := &table{rates: make(map[string]float64, len(records)), read: time.Now()}
	for _, r := range records {
		if t.rates[r[0]], err = strconv.ParseFloat(r[1], 64); err != nil {
			return 0, fmt.Errorf("%s: %s: %w", m.settings.File, r[0], err)
		}
	}
	if before := m.table.Swap(t); before == nil {
		fmt.Fprintf(m.out, "%d rates\n", len(t.rates))
	}
	return 0, nil // nothing that would make it worth while to look again at once
}

func (m *module) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	t := m.table.Load()
	if t == nil {
		http.Error(w, "no rates have been read yet", http.StatusServiceUnavailable)
		return
	}
	rate, ok := t.rates[q.URL.Path[1:]]
	if !ok {
		http.NotFound(w, q)
		return
	}
	fmt.Fprintln(w, rate)
}

func main() { plba.Main(&module{out: os.Stdout}) }

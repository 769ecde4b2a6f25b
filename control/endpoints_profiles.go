package control

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	profileType   = "application/octet-stream"
	maxProfiling  = 30 // seconds of a CPU profile
	maxTracing    = 5  // seconds of an execution trace, which is large
	profileSlower = 90 * time.Second
)

type profileInput struct {
	Profile string `path:"profile" maxLength:"100" example:"heap" doc:"cpu, trace, or one of the runtime's: allocs, block, goroutine, heap, mutex, threadcreate and those of the application."`
	Seconds int    `query:"seconds" minimum:"1" maximum:"30" default:"10" doc:"How long to look: for cpu, and for trace, where more than 5 counts as 5."`
	Debug   int    `query:"debug" minimum:"0" maximum:"2" doc:"1 and 2 ask for a text to read, of other profiles than cpu and trace."`
}

// profileEndpoints are for go tool pprof and belong to HTTP alone. (The package net/http/pprof is not used: who imports it serves profiles to everybody who can reach the
// global mux.)
func profileEndpoints(enabled bool) []entry {
	e := endpoint{
		id: "getProfile", method: http.MethodGet, path: "/debug/pprof/{profile}", access: accessAdmin, audited: true, slow: true, tag: tagProfiles, summary: "Take a profile",
		detail: "Looks into the process for `go tool pprof` (or, for `trace`, `go tool trace`). There is none unless `platform.control.pprof` is `true`.",
		answer: "The profile.", problems: []int{http.StatusNotFound, http.StatusConflict},
	}
	take := recorded(e, func(ctx context.Context, _ *Service, in *profileInput) (*answered, error) {
		if !enabled {
			return nil, &Error{Kind: ErrNotFound, Detail: "profiles are switched off; platform.control.pprof: true switches them on"}
		}
		return takeProfile(ctx, in)
	})
	return []entry{{endpoint: e, bind: func(a *api) {
		doc := e.document()
		doc.Responses["200"].Content = map[string]*huma.MediaType{
			profileType:  {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "goroutine profile: total 12\n"},
		}
		registerAs(a, e, doc, func(ctx context.Context, in *profileInput) (*answered, error) { return take(ctx, a.svc, in) })
	}}}
}

func takeProfile(ctx context.Context, in *profileInput) (*answered, error) {
	var out bytes.Buffer
	switch in.Profile {
	case "cpu":
		if err := pprof.StartCPUProfile(&out); err != nil {
			return nil, &Error{Kind: ErrConflict, State: "profiling", Detail: "a CPU profile is being taken already; wait for its end"}
		}
		pause(ctx, min(in.Seconds, maxProfiling))
		pprof.StopCPUProfile()
		return &answered{profileType, out.Bytes()}, nil
	case "trace":
		if err := trace.Start(&out); err != nil {
			return nil, &Error{Kind: ErrConflict, State: "tracing", Detail: "an execution trace is being taken already; wait for its end"}
		}
		pause(ctx, min(in.Seconds, maxTracing))
		trace.Stop()
		return &answered{profileType, out.Bytes()}, nil
	}
	p := pprof.Lookup(in.Profile)
	if p == nil {
		return nil, noSuch("profile", in.Profile, profileNames())
	}
	if err := p.WriteTo(&out, in.Debug); err != nil {
		return nil, fmt.Errorf("profile %s: %w", in.Profile, err)
	}
	if in.Debug > 0 {
		return &answered{"text/plain; charset=utf-8", out.Bytes()}, nil
	}
	return &answered{profileType, out.Bytes()}, nil
}

// pause waits for so many seconds, or for the client to go away.
func pause(ctx context.Context, seconds int) {
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func profileNames() []string {
	names := []string{"cpu", "trace"}
	for _, p := range pprof.Profiles() {
		names = append(names, p.Name())
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

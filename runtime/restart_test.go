package runtime_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// Configuration over code over defaults, each key by itself.
func TestRestartSettings(t *testing.T) {
	limit := runtime.RestartLimit(2, time.Hour)
	for name, c := range map[string]struct {
		options []runtime.WorkerOption
		config  string
		lives   int
	}{
		"default":                 {nil, "", 6},
		"code":                    {[]runtime.WorkerOption{limit}, "", 3},
		"configuration":           {nil, "{max_restarts: 1}", 2},
		"configuration over code": {[]runtime.WorkerOption{limit}, "{max_restarts: 3}", 4},
		"each key by itself":      {[]runtime.WorkerOption{limit}, "{restart_window: 1s}", 100},
		"policy":                  {nil, "{restart: never}", 1},
		"policy over code":        {[]runtime.WorkerOption{runtime.Restart(runtime.Never)}, "{restart: on-failure}", 6},
		"a longer window":         {nil, "{max_restarts: 8, restart_window: 10m}", 9},
		"never given up":          {nil, "{max_restarts: 20}", 100},
		"code stays where it is":  {[]runtime.WorkerOption{runtime.Restart(runtime.Never)}, "{max_restarts: 3}", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opts []runtime.Option
				if c.config != "" {
					opts = append(opts, yaml("platform: {workers: {w: "+c.config+"}}"))
				}
				cr := &crasher{}
				a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w"), c.options...) }, opts...)
				pass(4 * time.Hour)
				if c.lives < 100 && cr.lives() != c.lives || cr.lives() < c.lives {
					t.Errorf("%d lives, want %d", cr.lives(), c.lives)
				}
				stop(t, a)
			})
		})
	}
}

// An operator can have a worker restarted that ends cleanly, without a new build.
func TestRestartAlwaysByConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{end: func(int) error { return nil }}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w")) }, yaml("platform: {workers: {w: {restart: always}}}"))
		pass(time.Hour)
		if cr.lives() != 6 {
			t.Errorf("%d lives", cr.lives())
		}
		stop(t, a)
	})
}

// Its settings stand beside the worker's own; the environment can give them, and a worker that takes nothing else has them too.
func TestRestartSettingsOfAllKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{}
		register := func(r *runtime.Registry) {
			r.Worker(workers.Consume("mail-in", runtime.QueueOf[int](r, "q"), workers.Func(func(context.Context, int) error { return nil })))
			r.Worker(plain{cr.worker("plain-one")})
		}
		a := run(t, register, yaml("platform: {workers: {mail-in: {concurrency: 3, restart: always, restart_window: 2m}}}"),
			runtime.WithSources(config.Environment("PLBA_", []string{"PLBA_PLATFORM__WORKERS__PLAIN_ONE__MAX_RESTARTS=2", "PLBA_PLATFORM__WORKERS__MAIL_IN__CONCURRENCY=4"})))
		if w, _ := a.Worker("mail-in"); w.Concurrency != 4 {
			t.Errorf("concurrency %d", w.Concurrency)
		}
		pass(time.Hour)
		if cr.lives() != 3 {
			t.Errorf("%d lives", cr.lives())
		}
		stop(t, a)
	})
}

func TestRestartFaults(t *testing.T) {
	m := module{"app", func(r *runtime.Registry) error {
		r.Worker(idle("w"))
		r.Worker(idle("v"))
		r.Worker(bare("bare"))
		r.Worker(idle("typo"))
		r.Worker(idle("flat"))
		r.Worker(idle("code"), runtime.RestartLimit(0, -time.Second), runtime.Restart(7))
		return nil
	}}
	golden(t, "faults-restart.txt", newFaults(t, m, yaml(`platform:
  workers:
    w:
      restart: sometimes
      max_restarts: many
      restart_window: 5
    v:
      max_restarts: 0
      restart_window: 0s
    bare:
      restart: never
      concurrency: 3
    typo:
      restrat: never
    flat: 5
`)))
}

func TestRestartPolicyTexts(t *testing.T) {
	for _, p := range []runtime.RestartPolicy{runtime.OnFailure, runtime.Always, runtime.Never} {
		var back runtime.RestartPolicy
		if err := back.UnmarshalText([]byte(p.String())); err != nil || back != p {
			t.Errorf("%s is read as %s, %v", p, back, err)
		}
	}
	var p runtime.RestartPolicy
	if err := p.UnmarshalText([]byte("Always")); err == nil || p != runtime.OnFailure {
		t.Errorf("%s, %v", p, err)
	}
	if s := runtime.RestartPolicy(9).String(); !strings.Contains(s, "9") {
		t.Error(s)
	}
}

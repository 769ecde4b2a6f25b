package runtime

import (
	"strings"
	"time"

	"github.com/plba/plba/health"
)

type every time.Duration

func (e every) check(c *health.Check) { c.Every = time.Duration(e) }

// Every sets the interval of a health check (default 10 s).
func Every(d time.Duration) HealthOption { return every(d) }

type inGroup health.Group

func (g inGroup) worker(s *supervised)   { s.groups = append(s.groups, health.Group(g)) }
func (g inGroup) check(c *health.Check)  { c.Groups = append(c.Groups, health.Group(g)) }
func (g inGroup) resource(res *resource) { res.groups = append(res.groups, health.Group(g)) }

// Readiness lets what is not critical decide about readiness too: while it is unhealthy the application is degraded, and should get no new work. What is
// critical always decides.
func Readiness() interface {
	WorkerOption
	HealthOption
	ResourceOption
} {
	return inGroup(health.Readiness)
}

// Startup lets the application count as started, and as ready, only when this check has been ok once: for what takes long after the start, such as
// warming a cache. It says nothing of later.
func Startup() HealthOption { return inGroup(health.Startup) }

// Ready says whether the application should get work: it has started, is not stopping, and neither a critical component nor one with Readiness is unhealthy.
func (a *App) Ready() bool { return a.NotReady() == "" }

// NotReady says in one line why the application should get no work, "" when it may. It names components without their reasons, which Health tells: a probe may
// be asked by anybody.
func (a *App) NotReady() string { return a.notReady(a.machine.State()) }

func (a *App) notReady(state State) string {
	if state != Running {
		return "the runtime is " + string(state)
	}
	report := a.health.Report()
	return strings.Join(append(notStarted(report), unhealthy(report)...), "; ")
}

// Started says whether a start has ever succeeded and every check with Startup has been ok since the process began. What was started stays so.
func (a *App) Started() bool { return a.NotStarted() == "" }

// NotStarted says in one line why the application does not count as started, "" when it does.
func (a *App) NotStarted() string {
	if a.startedAt.Load() == nil {
		return "the runtime has not come up yet; it is " + string(a.machine.State())
	}
	return strings.Join(notStarted(a.health.Report()), "; ")
}

func notStarted(r health.Report) (why []string) {
	for _, c := range r.Holding(health.Startup) {
		why = append(why, c.Name+" has not been ok yet")
	}
	return why
}

func unhealthy(r health.Report) (why []string) {
	for _, c := range r.Holding(health.Readiness) {
		why = append(why, c.Name+" is unhealthy")
	}
	return why
}

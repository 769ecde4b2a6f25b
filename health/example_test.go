package health_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/health"
)

func ExampleRegistry() {
	changed := make(chan health.Change)
	registry := health.NewRegistry(nil, func(c health.Change) { changed <- c })

	err := registry.Add(health.Check{
		Name:     "database",
		Critical: true,
		Every:    30 * time.Second,
		Func:     func(context.Context) error { return errors.New("connection refused") },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := registry.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		c := <-changed
		fmt.Printf("%q went from %s to %s: %s\n", c.Name, c.From, c.To, c.Reason)
	}
	fmt.Println(registry.Report().State)
	fmt.Println(registry.Stop(ctx))
	// Output:
	// "database" went from ok to unhealthy: connection refused
	// "" went from ok to unhealthy: database is unhealthy: connection refused
	// unhealthy
	// <nil>
}

// A worker knows how it is; nobody needs to go and look.
func ExampleRegistry_Source() {
	registry := health.NewRegistry(nil, nil)
	mails := func() health.Report {
		return health.Report{State: health.StateUnhealthy, Reason: "it has crashed five times in a minute"}
	}
	if err := registry.Source("mail-polling", false, mails); err != nil {
		fmt.Println(err)
		return
	}
	report := registry.Report()
	fmt.Println(report.State, "because", report.Reason)
	// Output:
	// degraded because mail-polling is unhealthy: it has crashed five times in a minute
}

func ExampleDegraded() {
	check := func(age time.Duration) error {
		switch {
		case age > time.Hour:
			return fmt.Errorf("the catalogue is %v old", age)
		case age > 10*time.Minute:
			return health.Degraded(fmt.Errorf("the catalogue is %v old", age))
		}
		return nil
	}
	for _, age := range []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour} {
		report := health.Of(check(age))
		fmt.Printf("%s %q\n", report.State, report.Reason)
	}
	// Output:
	// ok ""
	// degraded "the catalogue is 20m0s old"
	// unhealthy "the catalogue is 2h0m0s old"
}

// A probe asks about a group, and names what holds it.
func ExampleReport_Holding() {
	registry := health.NewRegistry(nil, nil)
	closed := func() health.Report { return health.Report{State: health.StateUnhealthy, Reason: "no connection"} }
	for name, critical := range map[string]bool{"orders": true, "catalogue": false} {
		if err := registry.Source(name, critical, closed); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, c := range registry.Report().Holding(health.Readiness) {
		fmt.Println("not ready:", c.Name, "is", c.State)
	}
	// Output:
	// not ready: orders is unhealthy
}

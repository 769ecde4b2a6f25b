package plba

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/plba/plba/workers"
)

// Each step of the rule that docs/concepts.md gives for the settings of a worker wins over the ones before it.
func TestPrecedenceOfWorkerSettings(t *testing.T) {
	base, site := filepath.Join(t.TempDir(), "base.yaml"), filepath.Join(t.TempDir(), "site.yaml")
	write(t, base, "platform: {workers: {mails: {concurrency: 3}}}")
	write(t, site, "platform: {workers: {mails: {concurrency: 4}}}")
	var code []workers.ConsumeOption
	var opts []Option
	assemble := func() *App {
		app, err := New(testModule(func(r *Registry) error {
			r.Worker(workers.Consume("mails", Queue[string](r, "mails"), workers.Func(func(context.Context, string) error { return nil }), code...))
			return nil
		}), append(opts, WithoutControlListener())...)
		if err != nil {
			t.Fatal(err)
		}
		return app
	}
	expect := func(app *App, step string, want int) {
		t.Helper()
		if w, _ := app.Worker("mails"); w.Concurrency != want {
			t.Errorf("%s: concurrency %d, want %d", step, w.Concurrency, want)
		}
	}
	expect(assemble(), "the default", 1)
	code = append(code, workers.Concurrency(2))
	expect(assemble(), "the code", 2)
	opts = append(opts, WithConfigFiles(base))
	expect(assemble(), "a file", 3)
	opts = append(opts, WithConfigFiles(site))
	expect(assemble(), "a later file", 4)
	opts = append(opts, WithEnvironment("PLBA_", []string{"PLBA_PLATFORM__WORKERS__MAILS__CONCURRENCY=5"}))
	expect(assemble(), "the environment", 5)
	opts = append(opts, WithSetting("platform.workers.mails.concurrency", 6))
	app := assemble()
	expect(app, "a setting in main", 6)
	if err := app.ScaleWorker("mails", 7); err != nil {
		t.Fatal(err)
	}
	expect(app, "a change at run time", 7)

	for range 2 { // it outlives restarts of the worker and of the application
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := app.RestartWorker(t.Context(), "mails"); err != nil {
			t.Error(err)
		}
		expect(app, "a change at run time, after a restart", 7)
		if _, err := app.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	expect(assemble(), "another process", 6)
}

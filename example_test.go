package plba_test

import (
	"context"
	"fmt"
	"io"
	"testing/fstest"
	"time"

	"github.com/plba/plba"
)

// A module follows its section. A program of Main reloads on SIGHUP or, with platform.reload.watch, when a file changes; here the file system is one in memory.
func ExampleLive() {
	files := fstest.MapFS{"app.yaml": {Data: []byte("import: {pause: 15s}")}}
	app, err := plba.New(importer{}, plba.WithConfigFS(files, "app.yaml"), plba.WithoutControlListener(), plba.WithOutput(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	files["app.yaml"].Data = []byte("import: {pause: 1m}\nplatform: {control: {listen: 127.0.0.1:9000}}")
	done, err := app.Reload(context.Background())
	fmt.Println("changed:", done.Changed, "restart:", done.Restart, err)

	files["app.yaml"].Data = []byte("import: {pause: 60}")
	_, err = app.Reload(context.Background())
	fmt.Println(err)
	// Output:
	// pause: 15s -> 1m0s
	// changed: [import.pause (app.yaml:1)] restart: [platform.control.listen (app.yaml:2)] <nil>
	// the configuration is not reloaded:
	// app.yaml:1: import.pause: wants a duration with its unit, got the number 60 without one (write "60s" for seconds)
}

type importer struct{}

type importConfig struct {
	Pause time.Duration `koanf:"pause"`
}

func (importer) Name() string { return "import" }

func (importer) Register(r *plba.Registry) error {
	live, err := plba.Live[importConfig](r, "import")
	if err != nil {
		return err
	}
	live.OnChange(func(old, new importConfig) { fmt.Println("pause:", old.Pause, "->", new.Pause) })
	return nil
}

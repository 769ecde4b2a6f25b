package target

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/plba/plba/config"
)

// file is the configuration file: targets by their names.
//
//	targets:
//	  production: {address: 'https://orders.example.com:8443', token_file: /home/me/.plba-token}
//	  local: {address: 'unix:///run/orders/plba.sock'}
type file struct {
	targets map[string]Target
}

func read(path string) (f file, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	cfg, err := config.Load(config.File(path))
	if err != nil {
		return f, err
	}
	if f.targets, err = config.Section[map[string]Target](cfg, "targets"); err != nil {
		return f, err
	}
	if err := cfg.Unclaimed(); err != nil {
		return f, err
	}
	for name, t := range f.targets {
		if t.Token != "" && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			return f, fmt.Errorf("%s holds the token of the target %q and can be read by others (its mode is %04o): chmod 600 %s", path, name, info.Mode().Perm(), path)
		}
	}
	return f, nil
}

// choose gives the target of that name, or without one the only one there is.
func (f file) choose(path, name string) (Target, error) {
	names := slices.Sorted(maps.Keys(f.targets))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if name == "" {
		if len(names) == 0 {
			return Target{Address: Default, From: "the default"}, nil
		}
		return Target{}, faultf("%s has several targets (%s): name one with --target", path, strings.Join(names, ", "))
	}
	t, ok := f.targets[name]
	if !ok {
		return Target{}, faultf("%s has no target %q (there are: %s)", path, name, strings.Join(names, ", "))
	}
	if t.Address == "" {
		return Target{}, faultf("%s: the target %q has no address", path, name)
	}
	t.From = fmt.Sprintf("the target %q of %s", name, path)
	if t.Token != "" || t.TokenFile != "" {
		t.TokenFrom = t.From
	}
	return t, nil
}

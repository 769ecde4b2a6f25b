package main

import (
	"flag"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/shop"
)

// TestReadme compares what the README says can be configured with what can.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	must(t, err)
	_, section, _ := strings.Cut(string(text), "All keys of the section")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(section, -1) {
		for _, key := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[key[1]] = true
		}
	}
	for _, key := range keys(reflect.TypeFor[shop.Config](), "") {
		if !documented[key] {
			t.Errorf("the key %s is not documented", key)
		}
		delete(documented, key)
	}
	for key := range documented {
		t.Errorf("there is no key %s", key)
	}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	(&module{}).flags(flags)
	flags.VisitAll(func(f *flag.Flag) {
		if !strings.Contains(string(text), "\n| `-"+f.Name) {
			t.Errorf("the flag -%s is not documented", f.Name)
		}
	})
}

func keys(s reflect.Type, prefix string) (all []string) {
	for i := range s.NumField() {
		f := s.Field(i)
		key := prefix + f.Tag.Get("koanf")
		if f.Type.Kind() == reflect.Struct {
			all = append(all, keys(f.Type, key+".")...)
			continue
		}
		all = append(all, key)
	}
	return all
}

// The file for a real account has no fault but that nothing of it exists.
func TestAccountFile(t *testing.T) {
	p := start(t, "mailorderbot", "-check", "-config", "account.yaml")
	p.wantExit(0)
}

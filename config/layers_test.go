package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/plba/plba/config"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

// TestLayers compares merging, and where things are said to be, with the plainest model of it.
func TestLayers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]any{}
		places := map[string]string{}
		var sources []config.Source
		for i := range rapid.IntRange(1, 4).Draw(t, "layers") {
			layer := drawGroup(t, 3)
			name := fmt.Sprintf("%d.yaml", i)
			text, err := yaml.Marshal(layer)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, config.YAML(name, string(text)))
			mergeModel(model, layer, places, "", name)
		}
		c, err := config.Load(sources...)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := c.Decode("", &got); err != nil {
			t.Fatal(err)
		}
		if len(got)+len(model) > 0 && !reflect.DeepEqual(got, model) {
			t.Fatalf("got  %v\nwant %v", got, model)
		}
		for path, file := range places {
			if where := c.Where(path); !strings.HasPrefix(where, file+":") {
				t.Fatalf("Where(%q) = %q, want a line of %s", path, where, file)
			}
		}
	})
}

func drawGroup(t *rapid.T, depth int) map[string]any {
	group := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "keys") {
		group[rapid.SampledFrom([]string{"a", "b.c", "d-e"}).Draw(t, "key")] = drawValue(t, depth-1)
	}
	return group
}

func drawValue(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case kind == 0:
		return nil
	case kind == 1:
		return rapid.Int64().Draw(t, "number")
	case kind == 2:
		return []any{rapid.SampledFrom([]string{"x", "10", "true", ""}).Draw(t, "text")}
	case depth > 0:
		return drawGroup(t, depth)
	}
	return rapid.Bool().Draw(t, "truth")
}

func mergeModel(into, layer map[string]any, places map[string]string, path, file string) {
	for key, value := range layer {
		at := strings.TrimPrefix(path+"/"+key, "/")
		group, isGroup := value.(map[string]any)
		old, wasGroup := into[key].(map[string]any)
		if !isGroup || !wasGroup {
			for p := range places {
				if strings.HasPrefix(p, at+"/") {
					delete(places, p)
				}
			}
		}
		places[at] = file
		switch {
		case !isGroup:
			into[key] = value
		case !wasGroup:
			old = map[string]any{}
			into[key] = old
			fallthrough
		default:
			mergeModel(old, group, places, at, file)
		}
	}
}

package config

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// separator parts the keys of a path inside koanf. Keys hold no control characters, so they may hold dots and
// slashes.
const separator = "\x1f"

// Config is a configuration read from its sources. Make one with [Load]. It may be used by any number of goroutines.
type Config struct {
	values     *koanf.Koanf
	root       *place // where the values come from
	incomplete bool   // a whole source is missing: what is required may have stood there
	sources    []Source
	live       following // sections that follow reloads

	mu      sync.Mutex
	claimed map[string]bool
	asked   []question // by Ask
	latest  *Config    // that a reload put in effect; nil before the first
}

// Load reads the sources in order; later ones win over earlier ones. The error joins all faults of all sources.
//
// The Config is never nil. Beside an error it holds what could be read, so that the caller can decode its sections
// all the same and report the faults of all of them together; values whose source is at fault raise no second one.
func Load(sources ...Source) (*Config, error) {
	c := &Config{
		values:  koanf.NewWithConf(koanf.Conf{Delim: separator}),
		root:    &place{group: true},
		sources: slices.Clone(sources),
		claimed: map[string]bool{},
	}
	variables := variablesOf(sources)
	var faults []error
	for _, s := range sources {
		n, err := s.Load(variables)
		faults = append(faults, err)
		if n == nil {
			c.incomplete = c.incomplete || err != nil
			continue
		}
		faults = append(faults, c.add(n))
	}
	return c, Join(faults...)
}

func variablesOf(sources []Source) Lookup {
	for _, s := range sources {
		if p, ok := s.(Provider); ok {
			return p.Variable
		}
	}
	return os.LookupEnv
}

// add lays a source over what is there.
func (c *Config) add(n *Node) error {
	if n.Group == nil {
		c.incomplete = true
		return &Fault{Where: n.Where, Problem: "the source does not give a group of settings"}
	}
	var faults []error
	checkNode(n, "", &faults)
	n = c.root.adapt(n)
	if err := c.values.Load(confmap.Provider(n.raw().(map[string]any), ""), nil); err != nil {
		return Join(append(faults, fmt.Errorf("config: cannot merge: %w", err))...)
	}
	files := c.root.where
	c.root = c.root.overlay(n)
	if files != "" && n.Where != "" {
		c.root.where = files + ", " + n.Where
	}
	return Join(faults...)
}

// checkNode removes keys that cannot be written in a path and values that cannot be set, and reports them.
func checkNode(n *Node, key string, faults *[]error) {
	for i, element := range n.List {
		checkNode(element, indexKey(key, i), faults)
	}
	for _, name := range sortedKeys(n.Group) {
		child := n.Group[name]
		problem := ""
		switch {
		case name == "":
			problem = "an empty key"
		case strings.ContainsFunc(name, unicode.IsControl):
			problem = fmt.Sprintf("the key %s holds a control character", strconv.Quote(name))
		}
		if problem == "" {
			checkNode(child, childKey(key, name), faults)
			continue
		}
		*faults = append(*faults, &Fault{Where: anyWhere(child), Key: key, Problem: problem})
		delete(n.Group, name)
	}
	switch n.Value.(type) {
	case nil, string, bool, int64, uint64, float64, time.Duration:
	default:
		n.Invalid = true
		*faults = append(*faults, &Fault{
			Where: n.Where, Key: key, Problem: fmt.Sprintf("the source gives a value of type %T, which is none for settings", n.Value),
		})
	}
}

// raw returns the values of n as koanf keeps them.
func (n *Node) raw() any {
	switch {
	case n.Invalid:
		return nil
	case n.Group != nil:
		m := make(map[string]any, len(n.Group))
		for key, child := range n.Group {
			m[key] = child.raw()
		}
		return m
	case n.List != nil:
		list := make([]any, len(n.List))
		for i, element := range n.List {
			list[i] = element.raw()
		}
		return list
	}
	return n.Value
}

// Claim says that the program knows the top-level section of that name. [Section] does it by itself.
func (c *Config) Claim(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claimed[name] = true
}

// Unclaimed returns a fault for each top-level section that nobody claimed, or nil. Call it when all who may claim
// one have done so.
func (c *Config) Unclaimed() error {
	c.mu.Lock()
	known := sortedKeys(c.claimed)
	c.mu.Unlock()
	return Join(c.unknown(c.root, "", "unknown section", known)...)
}

// Unknown returns a fault for each key of the group at path that is not among the known ones, or nil. It serves
// groups whose keys are names that the program knows, such as those of its queues.
func (c *Config) Unknown(path string, known ...string) error {
	p, keys := c.find(path)
	if p == nil {
		return nil
	}
	return Join(c.unknown(p, strings.Join(keys, "."), "unknown key", known)...)
}

func (c *Config) unknown(p *place, key, problem string, known []string) []error {
	var faults []error
	if !p.group {
		return nil
	}
	for _, name := range sortedKeys(p.children) {
		child := p.children[name]
		if match(name, child.loose, known) == "" {
			faults = append(faults, unknownFaults(child, childKey(key, name), name, problem, known)...)
		}
	}
	return faults
}

// Where says where the setting at path was made: "cfg.yaml:6", or "environment variable PLBA_X__Y". For a path that
// is not set it answers for the nearest group around it that is; it returns "" where no source says anything.
func (c *Config) Where(path string) string {
	at, where := c.root, c.root.where
	for _, key := range splitPath(path) {
		_, next := at.child(key)
		if next == nil {
			return where
		}
		at = next
		if at.where != "" {
			where = at.where
		}
	}
	return cmp.Or(at.anyWhere(), where)
}

// Files returns the names given to [File], each once, in the order of the sources.
func (c *Config) Files() []string {
	var files []string
	for _, s := range c.sources {
		if y, ok := s.(yamlSource); ok && y.file && !slices.Contains(files, y.name) {
			files = append(files, y.name)
		}
	}
	return files
}

// Keys returns the keys in the group at path, sorted; none if there is no group at path. Keys come as their source
// spells them: those of environment variables with underscores, unless a file has the same key.
func (c *Config) Keys(path string) []string {
	p, _ := c.find(path)
	if p == nil || !p.group {
		return nil
	}
	return sortedKeys(p.children)
}

// String names the sections, and nothing of what they hold.
func (c *Config) String() string {
	return "config of sections " + strings.Join(sortedKeys(c.root.children), ", ")
}

// GoString is like String: a configuration that is printed for a look must not show its secrets.
func (c *Config) GoString() string { return c.String() }

// find returns the place at path and the keys that lead there as koanf knows them, or nil.
func (c *Config) find(path string) (*place, []string) {
	at := c.root
	var keys []string
	for _, key := range splitPath(path) {
		name, next := at.child(key)
		if next == nil {
			return nil, nil
		}
		at, keys = next, append(keys, name)
	}
	return at, keys
}

// lost tells whether path is, or lies in, something that was set but could not be read.
func (c *Config) lost(path string) bool {
	at := c.root
	for _, key := range splitPath(path) {
		if _, at = at.child(key); at == nil {
			return false
		}
		if at.invalid {
			return true
		}
	}
	return false
}

// splitPath splits "platform/queues/mails"; the path of the root is "".
func splitPath(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

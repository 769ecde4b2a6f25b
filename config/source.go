package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Source is one layer of settings. [File], [FSFile], [YAML], [Environment] and [Settings] are the ones in this
// package; a program may bring others, such as one that asks a configuration server.
type Source interface {
	// Load reads the layer and returns its root, a group. Every problem should be a [*Fault], joined with others
	// by [Join]. A root that is returned beside an error holds what could be read; no root means that the layer
	// is lost. Variables looks up the ${NAME} of texts; a source whose texts do not know them ignores it.
	Load(variables Lookup) (*Node, error)
}

// Lookup returns the value of a variable and whether there is one.
type Lookup func(name string) (value string, ok bool)

// Provider is a [Source] that also knows the values of variables. [Load] asks the first one among its sources for
// the ${NAME} of texts, and the environment of the process when there is none. The source that [Environment]
// returns is one.
type Provider interface {
	Source
	Variable(name string) (value string, ok bool)
}

// Node is a setting or a group of settings as a [Source] gives it. It is a group when Group is not nil, a list
// when List is not nil, and a single value otherwise.
type Node struct {
	// Where says for people where it was set: "cfg.yaml:6". A group that has no place of its own leaves it empty
	// and is found where its settings are.
	Where string
	// Value is a string, bool, int64, uint64, float64 or time.Duration; nil means that nothing is set here.
	Value any
	// Group holds settings by key. Keys are not empty and hold no control characters.
	Group map[string]*Node
	// List holds the elements of a list.
	List []*Node

	// Text says that Value is a text which may stand for a number, a truth value, a duration or a list with commas,
	// since its source knows nothing but text.
	Text bool
	// Loose says that the key was written in the alphabet of environment variables. Where no key is spelt exactly
	// so, it stands for the one that differs only in letter case, or has "-" or "." instead of "_".
	Loose bool
	// Invalid says that something was set here but could not be read; the error of the source says why. Decoding
	// passes over it without another fault.
	Invalid bool
}

// maxSource is how long a YAML source may be, in bytes.
const maxSource = 1 << 20

// File returns the YAML file of that name as a source. It is read when [Load] runs; a file that is missing, cannot
// be read or is empty of meaning is told apart by its fault (an empty file is none: it sets nothing).
func File(path string) Source {
	return yamlSource{name: path, file: true, read: func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return readAll(f)
	}}
}

// FSFile is [File] for a file in fsys, such as one embedded in the program.
func FSFile(fsys fs.FS, path string) Source {
	return yamlSource{name: path, read: func() ([]byte, error) {
		f, err := fsys.Open(path)
		if err != nil {
			return nil, err
		}
		return readAll(f)
	}}
}

// YAML returns a YAML text as a source. Name stands for the file in errors, as in "name:6".
func YAML(name, text string) Source {
	return yamlSource{name: name, read: func() ([]byte, error) { return []byte(text), nil }}
}

// yamlSource is a YAML document, wherever it comes from.
type yamlSource struct {
	name string
	file bool // name is one of the system's files
	read func() ([]byte, error)
}

// Load implements [Source].
func (s yamlSource) Load(variables Lookup) (*Node, error) {
	text, err := s.read()
	if err != nil {
		return nil, s.unreadable(err)
	}
	return parseYAML(s.name, text, variables)
}

func (s yamlSource) unreadable(err error) error {
	f := &Fault{Where: s.name, cause: err}
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Problem = "the file does not exist"
	case errors.As(err, &pathErr):
		f.Problem = fmt.Sprintf("the file cannot be read: %v", pathErr.Err) // the path is in Where already
	default:
		f.Problem = fmt.Sprintf("the file cannot be read: %v", err)
	}
	return f
}

// readAll reads one byte more than allowed, so that the parser sees that there was too much: a device or a pipe
// has no size to ask for.
func readAll(f fs.File) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	return text, errors.Join(err, f.Close())
}

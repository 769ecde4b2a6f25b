package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parseYAML reads the one document in text. The node it returns is the root, or nil where the text as a whole cannot
// be read.
func parseYAML(name string, text []byte, variables Lookup) (*Node, error) {
	if err := checkText(name, text); err != nil {
		return nil, err
	}
	doc, err := parseDocument(text)
	if err != nil {
		return nil, syntaxFault(name, text, err)
	}
	empty := &Node{Where: name, Group: map[string]*Node{}}
	if doc == nil || len(doc.Content) == 0 {
		return empty, nil
	}
	c := yamlConverter{name: name, variables: variables, open: map[*yaml.Node]bool{}}
	content := doc.Content[0]
	if content.Kind == yaml.ScalarNode && content.ShortTag() == nullTag {
		return empty, nil
	}
	if content.Kind != yaml.MappingNode {
		return nil, &Fault{
			Where:   c.where(content),
			Problem: fmt.Sprintf("the file must hold a map of sections, but it holds %s", kindName(content)),
			Hint:    "begin with a line such as log:",
		}
	}
	root := c.convert(content, "")
	root.Where = name
	return root, Join(c.faults...)
}

// checkText refuses what the parser would refuse without saying where.
func checkText(name string, text []byte) error {
	if len(text) > maxSource {
		return &Fault{Where: name, Problem: fmt.Sprintf("the file is longer than %d bytes", maxSource)}
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		problem, hint := "", ""
		switch {
		case r == utf8.RuneError && size <= 1:
			problem, hint = "the file is not UTF-8 text", "save it as UTF-8"
		case !yamlPrintable(r) && !(r == '\uFEFF' && i == 0):
			problem = fmt.Sprintf("the character %U is not allowed", r)
		}
		if problem != "" {
			line := 1 + bytes.Count(text[:i], []byte("\n"))
			return &Fault{Where: whereLine(name, line), Problem: problem, Hint: hint}
		}
		i += size
	}
	return nil
}

// yamlPrintable tells whether YAML lets a file hold r as it is.
func yamlPrintable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return true
	case r < 0x20, r >= 0x7F && r < 0xA0, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return true
}

var errSeveral = errors.New("several documents")

// parseDocument returns the one document in text, or nil if there is none. Of a second one it returns that, and
// errSeveral.
func parseDocument(text []byte) (doc *yaml.Node, err error) {
	defer func() {
		// The parser has been seen to panic on texts that only a fuzzer writes; a file must not end the program.
		if p := recover(); p != nil {
			doc, err = nil, errors.New("the parser gave up")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := dec.Decode(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return &first, nil
	case err != nil:
		return nil, err
	}
	return nil, errSeveral
}

var yamlError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// syntaxFault words an error of the parser and finds its line. The parser often names the line where the
// surrounding block begins, or none. But it reads from the front, so the line at fault is the last of the shortest
// beginning of the text that gives the same error.
func syntaxFault(name string, text []byte, err error) error {
	problem, first := splitYAMLError(err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	first = max(1, min(first, len(lines)))
	if strings.Contains(problem, "end of stream") {
		first = 1 // what is not closed may have begun anywhere
	}
	line := first + sort.Search(len(lines)-first, func(i int) bool {
		_, err := parseDocument(bytes.Join(lines[:first+i], nil))
		p, _ := splitYAMLError(err)
		return p == problem
	})
	f := &Fault{Where: whereLine(name, line), Problem: "not valid YAML: " + problem}
	switch {
	case errors.Is(err, errSeveral):
		f.Problem, f.Hint = "a second document begins here", "a file holds one document: remove the --- line or make two files"
	case strings.HasPrefix(problem, "unknown anchor"):
		// A secret that begins with an asterisk looks like this: do not print the name.
		f.Problem, f.Hint = "not valid YAML: an alias (*name) without an anchor (&name) before it", "put a text that begins with * in quotes"
	case bytes.HasPrefix(bytes.TrimLeft(lines[line-1], " "), []byte("\t")):
		f.Hint = "indent with spaces, not with tabs"
	case strings.Contains(problem, "cannot start any token"):
		f.Hint = "put a text that begins with @, %, ` or a tab in quotes"
	case strings.Contains(problem, "mapping values are not allowed"):
		f.Hint = "is the indentation right? a text that holds a colon goes in quotes"
	}
	return f
}

// splitYAMLError returns what the parser says and the line it names, less one for safety; 0 if it names none.
func splitYAMLError(err error) (problem string, line int) {
	if err == nil {
		return "", 0
	}
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		return err.Error(), 0
	}
	line, _ = strconv.Atoi(m[1])
	return m[2], line - 1
}

func whereLine(name string, line int) string { return name + ":" + strconv.Itoa(line) }

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

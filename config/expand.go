package config

import (
	"regexp"
	"slices"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const escapeHint = "write $${ for a plain ${"

// expanded is a text whose variables have been replaced, or what is wrong with it.
type expanded struct {
	text          string
	variables     bool // there was one
	problem, hint string
}

// expand replaces each ${NAME} in text by the variable's value, and $${ by ${. Problems name variables, never the
// text around them, which may be a secret.
func expand(text string, lookup Lookup) expanded {
	var b strings.Builder
	var undefined []string
	variables := false
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			break
		}
		if plain, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(plain + "${")
			text = rest
			continue
		}
		name, rest, closed := strings.Cut(rest, "}")
		switch {
		case !closed:
			return expanded{problem: "a ${ without its }", hint: escapeHint}
		case !variableName.MatchString(name):
			return expanded{
				problem: "between ${ and } stands the name of a variable: letters, digits and underscores",
				hint:    escapeHint,
			}
		}
		value, ok := lookup(name)
		if !ok && !slices.Contains(undefined, "${"+name+"}") {
			undefined = append(undefined, "${"+name+"}")
		}
		b.WriteString(before + value)
		text, variables = rest, true
	}
	if undefined != nil {
		return expanded{
			problem: "undefined variable " + strings.Join(undefined, ", "),
			hint:    "set it in the environment, or " + escapeHint,
		}
	}
	b.WriteString(text)
	return expanded{text: b.String(), variables: variables}
}

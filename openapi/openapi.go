package openapi

import (
	_ "embed" // for the two files
	"slices"
)

var (
	//go:embed openapi.json
	specJSON []byte
	//go:embed openapi.yaml
	specYAML []byte
)

// JSON is the description of the control plane as JSON. The slice is the caller's own.
func JSON() []byte { return slices.Clone(specJSON) }

// YAML is the description of the control plane as YAML. The slice is the caller's own.
func YAML() []byte { return slices.Clone(specYAML) }

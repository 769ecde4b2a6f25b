package oidc_test

import (
	"fmt"
	"io"

	"github.com/plba/plba"
	"github.com/plba/plba/control/oidc"
)

// Main links it; the configuration says which issuer, and what its groups may do.
func ExampleMethod() {
	_, err := plba.New(module{}, plba.WithAuthentication(oidc.Method()), plba.WithOutput(io.Discard), plba.WithConfigYAML(`
platform:
  control:
    oidc:
      issuer: https://login.example.com/realms/ops
      audience: plba
      roles: {administrator: [platform]}`))
	fmt.Println(err)
	// Output: WithConfigYAML:7: platform.control.oidc.roles: "administrator" is not a role (use viewer, operator or admin)
}

package control

import "unicode"

// Role is what a token allows. Each role may do what the ones before it may: viewer, operator, admin.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // sees what the application does
	Operator Role = "operator" // starts and stops
	Admin    Role = "admin"    // everything
)

// rank orders roles; what is no role has no rights.
func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Operator:
		return 2
	case Admin:
		return 3
	}
	return 0
}

// may tells whether r suffices where need is asked for. Nothing suffices for what is no role.
func (r Role) may(need Role) bool { return need.rank() > 0 && r.rank() >= need.rank() }

// Principal is who asks.
type Principal struct {
	Name string
	Role Role
}

// Access is what an operation demands of who asks. The zero Access admits nobody.
type Access struct {
	// Role that is needed.
	Role Role `json:"role,omitempty"`
	// Without says when no token is needed.
	Without Without `json:"without_token"`
}

// Without says when an operation needs no token.
type Without string

// When an operation needs no token.
const (
	Never      Without = "never"
	OnLoopback Without = "on_loopback" // while no tokens are configured, from this machine
	Always     Without = "always"
)

// What operations of the control plane demand.
var (
	accessProbe   = Access{Without: Always}
	accessRead    = Access{Role: Viewer, Without: OnLoopback}
	accessPrivate = Access{Role: Viewer, Without: Never}
	accessCommand = Access{Role: Operator, Without: Never}
	accessAdmin   = Access{Role: Admin, Without: Never}
)

// isPrintable keeps line breaks, terminal sequences and invisible characters out of logs and terminals.
func isPrintable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return false
		}
	}
	return true
}

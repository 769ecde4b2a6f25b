// Package oidc admits to the control plane whoever presents a JWT of an OpenID Connect issuer: an ID token, or an access token in the form of a JWT (RFC 9068).
// So operators use the accounts that they have, and who leaves the company leaves the control plane.
//
//	platform:
//	  control:
//	    oidc:
//	      issuer: https://login.example.com/realms/ops
//	      audience: plba
//	      roles_claim: groups
//	      roles: {admin: [platform], operator: [on-call, platform], viewer: [staff]}
//
// and in main, because no authentication but tokens and certificates is linked by itself:
//
//	plba.Main(&module{}, plba.WithAuthentication(oidc.Method()))
//
// Configured tokens and client certificates count beside it. How to get a token is between the operator and the issuer; the control plane has no login page.
//
// # What is checked
//
// The signature by a key that the issuer publishes, with an asymmetric algorithm that it announces (RS, PS, ES, EdDSA; never "none", never a shared secret); the
// issuer, the audience, and that the token is valid now (OpenID Connect Core 1.0, section 3.1.3.7, without the parts of a login). What is no JWT of this issuer is
// left to the other ways of authentication, and counts as a wrong token if none knows it. So does a forged one. One that has expired, or whose claims give no
// role, is refused with the reason and is no try.
//
// # The issuer's keys
//
// What the issuer says of itself (/.well-known/openid-configuration) and its keys are fetched when the first token comes, not at start: an issuer that is down
// keeps no application from starting, and nobody out of those who have other tokens. Keys are fetched again when a token names one that is not known, at most every
// ten seconds, however many forged tokens come. While the issuer cannot be asked and its keys are not known, the answer is that it cannot be found out who asks
// (503), and the log says why.
package oidc

// Package openapi holds the OpenAPI description of PLBA's control plane and a page that shows it.
//
// The description is generated from the code of package control and committed here as openapi.json and openapi.yaml, two
// spellings of the same document; both are part of the binary. Clients can be generated from the files without running an
// application, and a change of the control plane shows as a reviewable change of these files. Package openapi/client is the one
// for Go.
//
// Docs is Swagger UI with everything that it needs inside the binary. The page works without internet, and its content
// security policy keeps the browser from asking any other host for anything.
package openapi

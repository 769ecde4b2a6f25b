// Package client calls the control plane of a running application.
//
//	c, err := client.New("http://127.0.0.1:8080", client.WithToken(token))
//	…
//	list, err := c.ListWorkers(ctx, client.ListWorkersParams{State: client.WorkerStateBusy})
//
// It has a method for each operation of the OpenAPI document, named after its operationId, and a type for each of its schemas. Both are generated from the document
// (generate/, run by `make generate`), so they say what it says, and change when it does. What is not generated stands in the other files: the two ways to reach an
// application, errors, the stream of events and the wait for the end of an operation.
//
// # Ways
//
// The address chooses the way: http:// and https:// speak to the HTTP channel, unix:// to the Unix socket of an application on the same machine
// (platform.control.socket.path). Whatever a method asks for, it gets the same answers and the same errors on both, but the documents for browsers and
// profiles are HTTP's alone, and not part of this package.
//
// # Errors
//
// What the application refuses is an [*Error] with the problem of RFC 9457 that it answered; errors.Is tells its kind ([ErrNotFound], [ErrConflict] …). When there was no
// answer, or none of a control plane, the error is an [*UnreachableError]. The end of the context gives that context's error.
//
// # Commands
//
// A command answers with an [Operation]. One that takes time is still running then; [Client.Wait] gives it when it has ended.
//
// A Client is safe for concurrent use. Calls that have no deadline of their own end after 30 s; [WithTimeout] changes that.
package client

//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config generate/config.yaml ../openapi.json

// Package pipelinevet finds pipelines that cannot be built before anything runs. It is the analyzer behind the
// command cmd/pipelinevet:
//
//	go install github.com/plba/plba/cmd/pipelinevet@latest
//	go vet -vettool=$(which pipelinevet) ./...
//
// The compiler checks every type inside a stage, and Build checks the seams between the Stage calls of a builder.
// This package checks the same seams from the source, and says what Build would say, in the same words: a stage
// that does not take what the one before gives, an end that does not fit, a nil stage or function, a name that is
// not valid or is used twice, a pipeline without stages. It also finds what Build cannot see: a builder that is
// never built.
//
// # The promise
//
// A finding is certain: the pipeline cannot be built, whatever its program does before. What is not certain is left
// to Build. So there is no setting and no way to silence a finding, and none is needed.
//
// # What is known
//
// The types of a stage are those of its static type, however it was made: by a constructor, in a variable, a field
// or a parameter, as a *Pipeline, as a Stage[In, Out], or in a struct that embeds one of these. Nothing is known of
// an AnyStage. In a generic function two types count as different only if no type arguments make them the same.
//
// Of the stages inside of a stage (Each, Both, All, Validate, the cases of a Switch) the compiler checks the types; here a
// nil stage or function, a name that is not valid or stands twice, and a case that stands twice are found, at any depth.
//
// Builders are followed through a function by their identity, as they are pointers that Stage changes and returns:
//
//	New(…).Stage(a).Stage(b)     all of it is known
//	b := New(…); b.Stage(a)      the same, over statements and further variables for it
//	if … { b.Stage(a) }          inside, what stood before is known; behind it, only what is added there
//	for … { b.Stage(a) }         inside and behind, only what is added there
//	f(b), return b, x.b = b, &b, a function literal with b in it
//	                             anyone may add stages from now on: only chains of calls are known
//	p.b.Stage(a).Stage(b)        a builder from elsewhere: only this chain
//
// In such a chain two stages count as neighbours only if nothing that is called between the two calls could have
// added another. Functions with goto are treated as if every builder were from elsewhere.
//
// Names are known where they are constants, and through variables that are set once.
package pipelinevet

// Package input holds the parameters that several operations of the control plane share. It exists because huma reads embedded structs only if their types
// are exported, and these need not be known to anybody else.
package input

// Page is what every list of named things takes.
type Page struct {
	After string `query:"after" maxLength:"100" doc:"Go on after this name: the next of the page before."`
	Limit int    `query:"limit" minimum:"1" default:"100" doc:"How many at most. More than 1000 counts as 1000."`
}

// Worker names a worker.
type Worker struct {
	Name string `path:"name" maxLength:"100" example:"email-processing" doc:"The worker, as the application registered it."`
}

// Pipeline names a pipeline.
type Pipeline struct {
	Name string `path:"name" maxLength:"100" example:"orders" doc:"The pipeline, as the application registered it."`
}

// Queue names a queue.
type Queue struct {
	Name string `path:"name" maxLength:"100" example:"mails" doc:"The queue, as the application registered it."`
}

// Task names a task of a queue.
type Task struct {
	Queue
	ID string `path:"id" maxLength:"200" example:"0196b1a4f3e27c9d8a51c0de0b2f4e11" doc:"The ID of the task."`
}

// Package encodable says whether values of a type can be kept: payloads of tasks, and what pipelines keep with them.
//
// It looks at the type alone, before there is a value, so that a queue or a checkpoint that could never work is a fault at registration and not at night.
package encodable

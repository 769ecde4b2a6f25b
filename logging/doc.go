// Package logging turns the log section of the configuration into one [slog.Logger].
//
// # Design
//
// A [Manager] owns one handler chain: the standard text or JSON handler, a level that can be changed while the
// program runs, and in front of it a handler that knows about traces. Nothing global is touched: whether the
// logger becomes slog's default is for main to decide.
//
//   - Level: debug, info, warn or error. [Manager.SetLevel] takes effect for the next record of every logger
//     derived from this manager, also of those made earlier by With or WithGroup.
//   - Traces: a record logged with a context that carries a valid OpenTelemetry span gets trace_id and span_id.
//     They stand at the top level of the record, also when the logger has an open group, so that a log store can
//     index them under one name.
//   - One record is one line. Line breaks and other control characters in messages, keys and values are escaped
//     by both formats, so that text from outside cannot forge a record.
//
// A Manager and its loggers may be used by any number of goroutines.
package logging

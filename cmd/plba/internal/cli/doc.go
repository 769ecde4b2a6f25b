// Package cli is the command plba: what it is asked, what it prints, and with which code it ends.
//
// Every command reads or asks by the typed client of the control plane, whichever way the address leads, and prints either for people (tables, sentences) or, with -o json, exactly
// one JSON document of the API's own types (events: one for each line). Results go to standard output, everything else to standard error.
//
// What changes something says what became of it: a command that takes time is waited for, unless --no-wait. What cannot be taken back is asked about first.
package cli

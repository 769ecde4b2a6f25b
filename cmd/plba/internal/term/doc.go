// Package term writes for people: tables that fit their terminal, colours where they can be seen, and times as they are spoken of.
//
// What comes from an application is never written raw: a control character in an error message could move the cursor or change the title of the operator's window.
package term

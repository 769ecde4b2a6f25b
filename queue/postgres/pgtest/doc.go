// Package pgtest runs PostgreSQL servers for tests: private ones, made from the installed binaries in a directory of their own, on a free port of
// the loopback interface, and gone at the end of the test.
//
// A test that needs a server calls [Start]. Without the binaries (in Debian: package postgresql) it is skipped with the reason, unless
// PLBA_TEST_REQUIRE, a comma-separated list, contains "postgres": then it fails. PostgreSQL refuses to run as root, so under root the server runs as the user
// nobody.
//
// What initdb makes is kept in the user's cache directory (plba-pgtest), which may be removed at any time.
//
// Tests of faults can take the server through its troubles: [Server.Stop], [Server.Kill] and [Server.Crash] end it, [Server.Restart] brings it back with its
// data on the same port; [Server.CrashPart] lets it recover by itself.
package pgtest

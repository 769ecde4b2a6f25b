// Package control is the control plane: what operators see and do of a running application, and the HTTP channel that carries it to them.
//
// # Service and channels
//
// [Service] is the operations without any protocol: typed in, typed out, refusing with an [*Error]. A [Channel] carries them to operators: [HTTP] is one, [Socket],
// which speaks lines of JSON to programs on the same machine, another, and WithChannel adds more, on the same service. The tests of the service run over each. [Plane] is all of it together, and what the runtime starts after the resources and before the workers, and stops
// after the workers: so it shows a start in progress, and stays up over a stop that was asked for through it.
//
// Each operation is declared once, with its types, what it demands ([Access]) and its documentation; channels are made from that list, or take it as it is by
// [Service.Call].
//
// # Applications
//
// [Operations] puts the application's own operations beside these, under /app/, and [HTTP.Handler] the whole under a prefix of the application's own mux.
// Both pass the same gate: there is no way to an operation that does not say what it demands.
//
// # Commands
//
// What is asked of the application and accepted is an [Operation]: it names who asked, why, how far it is and what came of it, and is remembered (the last 1000)
// until the process ends. What takes time is answered as soon as the application shows that it has begun, and goes on in the background. A command that does not
// apply is a conflict that names the state and what would be allowed:
//
//	runtime     start     stop      stop, mode force   stop, exit
//	stopped     begins    conflict  conflict           ends the process
//	starting    conflict  interrupts the start         interrupts, then ends the process
//	idle, busy  conflict  begins    begins             ends the process
//	stopping    conflict  conflict  forces that stop   ends the process
//
//	worker      start     stop      stop, mode force   restart
//	stopped     begins    conflict  conflict           begins         (one that waits for its restart can be stopped)
//	starting    conflict  begins    begins             conflict
//	idle, busy  conflict  begins    begins             begins
//	stopping    conflict  conflict  forces that stop   conflict
//
// A reload of the configuration applies in every state, one at a time. A worker is started and stopped only while the runtime runs. Pausing and resuming applies always and changes nothing the second time. A stop of the runtime
// leaves process and channels up; with exit the process' own stop follows, as after SIGTERM. The end of the application gives up commands that are under way;
// none of them keeps it from stopping.
//
// # Events
//
// What happens (moves of the runtime and of workers, changes of health, operations, failed attempts) goes into a ring of the last 2048 events; to put one there
// costs the same however many listen. Each reader (a [Subscription]) reads the ring at its own pace, woken 10 ms after something has happened and at most every 100 ms. One that falls behind the ring is
// cut off, and so is a client that takes nothing for 10 s; it can go on where it was as long as the ring reaches back so far, and is told when it does not. IDs
// name the process that gave them, so one of an earlier process is never taken for another event. Of failed attempts 100 a second are told, the others counted.
//
// # The HTTP channel
//
// It is made with huma on net/http: an operation is declared once, and its Go types are its validation, its documentation and its part of the OpenAPI 3.1
// document ([Spec], /openapi.json, /openapi.yaml, and /docs as a page that needs no internet). Every request passes, in this order:
//
//  1. headers that every answer has: nosniff, no-store, a content security policy that allows nothing but to the page of /docs;
//  2. recovery: a panic is logged with its stack and answered with a 500, or, after half an answer, by cutting the connection;
//  3. the path, which must be in its one canonical form (400), so that what is authorised is what is meant;
//  4. the host, which must be a loopback name, the host of the listen address, the address itself or one of allowed_hosts (421): DNS rebinding fails here;
//  5. the sender, which must not be another site's page if the request changes something (403);
//  6. the route (404, 405);
//  7. the doorman, who knows what the route demands (401, 403, 429);
//  8. the body, read whole, at most 1 MiB (413), in time (408), and declared as JSON (415);
//  9. huma, which parses and validates strictly (400, 422), and the operation.
//
// An address keeps at most 1024 connections: beyond them the one is closed that has waited longest for a whole request.
//
// Everything that is refused or fails is answered with a [Problem] (RFC 9457). A 5xx tells no causes, they are in the log; a refusal of input names the place and
// never repeats the value.
//
// # Who may do what
//
// Each operation carries an [Access]: the role it needs, and when it needs no token. Without one it admits nobody. An [Authenticator] says who asks: configured
// tokens (kept as SHA-256 hashes of long random texts, compared in constant time, any number at once, each with an end if wanted), client certificates that TLS has
// verified, and what WithAuthenticator adds, such as the accounts of an OpenID Connect issuer (control/oidc). Everybody has one of the roles viewer, operator and admin, of which each may do what the one before it may.
//
//	                          no token   viewer   operator   admin
//	probes                    yes        yes      yes        yes
//	reads                     (1)        yes      yes        yes
//	tasks, traces, events     no         yes      yes        yes
//	payloads, commands        no         no       yes        yes
//	discard, purge, audit     no         no       no         yes
//
// (1) Only while no authentication is configured, and only to requests that come from this machine, are addressed to it by a loopback name, and were not passed on by a
// proxy. In that case a token with the role admin is made at start and shown once on the terminal, never in the log, so that a newcomer can act.
//
// A browser is asked for the token as a password (HTTP Basic, any user name) where it reads the documentation, and a password counts nowhere else: so what
// browsers send by themselves never changes anything.
//
// An address that other machines can reach is refused without configured tokens or certificates, and without TLS unless the configuration says insecure
// outright. Certificates are read again when their files change. Whoever presents wrong tokens has ten tries and then one every three seconds, per address; until
// then right ones are refused too.
//
// # Audit
//
// Every change that is asked for, every payload that is read and everybody who is denied something is recorded: who, by which way, from where, for what, why, and what
// became of it. The last 1000 records are in memory, for admins; platform.control.audit.file has all of them, a line of JSON each, which is only ever
// appended to. Of denials at most 20 a second are recorded and the others counted, so that nobody outside can fill a disk. When the file cannot be opened the start
// fails; when it cannot be written later the log says so, and what was asked is done, because a full disk must not keep operators from acting.
package control

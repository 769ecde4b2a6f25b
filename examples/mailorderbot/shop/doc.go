// Package shop is the back office of the order inbox: the SQLite store, the outbox, and the functions that the pipeline's
// stages are made of. It knows nothing of the platform that calls it.
//
// # Contents and arrivals
//
// A content is an account and the SHA-256 of a mail's bytes. An arrival is one mail in the inbox: UIDVALIDITY and UID
// say where it lies. The same content may arrive again; what was ordered by it is ordered once.
//
// # One effect
//
// Search stores the bytes of a new mail before anything else is done with them. Store writes the decision, the orders and the
// answer in one transaction, against what is known at that moment; an arrival that is decided keeps its decision. Then
// Confirm sends the answer, and Move moves the mail, last. Whatever is interrupted is found again by the next Search and
// goes on where it was:
//
//	died after   the next run
//	Search       decides about the stored bytes
//	Store        keeps the decision and sends the answer
//	Confirm      may send the answer again, if it was sent and not noted: with the same Message-ID
//	Move         finds the mail gone, and notes it
//
// # What else moves mails
//
// A mail that somebody took out of the inbox before it was decided is left to them: nothing is ordered by it. One that
// somebody moved back from Review is decided anew. When the mailbox was rebuilt (UIDVALIDITY), arrivals are found in their
// new places by their content, with their decisions.
//
// # Order of arrival
//
// Mails of one sender, and arrivals of one content, are decided in the order of their arrival, so that "the same order again" does not
// depend on which worker was faster: Store waits a little for the earlier mail, then returns ErrEarlierMail. A mail that cannot
// be decided holds up the others of its sender for at most a minute.
package shop

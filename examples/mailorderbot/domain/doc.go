// Package domain is the business of an order inbox: what a wholesaler does with the mails in which customers send their
// orders as files. It knows nothing of mailboxes, databases or queues; it does no I/O, has no clock, keeps no state and
// imports nothing of the platform.
//
// A mail takes three steps, each a method of Desk:
//
//	Parse   Raw     → []Part     the header decides about strangers and automatic mail; the rest is taken apart
//	Decode  Part    → Sheet      one file is read: CSV in any dialect, or XLSX
//	Decide  []Sheet → Decision   one decision for the mail; Against compares it with what was ordered before
//
// No step returns an error. A mail that cannot be understood is as much a result as an order, so it is a value: a
// Verdict with a folder, a reason and what the sender is told. The steps take any bytes whatever, never panic, and give the same
// result for the same input.
//
// # Rules
//
// Nothing is guessed. A quantity such as "1.200" that may mean two things, a row with an unknown article, a wrong pack size or an
// old price, a file without a purchase-order number: a person decides (Review), and nothing of the mail is ordered, unless
// Policy.Partial allows the good lines to be taken. Files that cannot be read at all are Rejected, and the sender is told.
// A mail is all or nothing: a good file beside a bad one is not ordered, and the mail goes to Review.
//
// Who writes is known by two things together: the address is in the list of customers, and the inbox' own mail server has
// confirmed by DMARC that it is not forged. Everybody else goes to Review and gets no answer. Bounces, automatic replies, mailing
// lists and our own mails never become orders and are never answered, whoever seems to have sent them.
//
// The same bytes a second time are Processed without an order. The same purchase-order number of a customer is compared with
// the order known under it: with the same lines it was already received, with others it goes to Review. What was known
// before is the store's knowledge: it sets MailRef.Duplicate and calls Decision.Against.
//
// # Hostile input
//
// Only mails of authenticated customers are taken apart, and only within limits: 15 multiparts and 1,000 parts a mail (mime.go),
// 20 files, 2,000 rows and 64 columns a file (table.go), 20 MB unpacked and a number of further limits for workbooks
// (inspect.go). Time grows with size alone: a mail of 25 MB made for the purpose takes seconds, others milliseconds. Paths in file names are cut off;
// texts that come from a mail are quoted, shortened and put on one line before they stand in a reason; cells that a
// spreadsheet program would take for formulas are disarmed by Export.
package domain

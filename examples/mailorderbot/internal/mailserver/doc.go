// Package mailserver is a small mail server inside the process: an IMAP account whose mails the order bot works on, and an
// SMTP server that keeps what the bot sends. It serves demonstrations and tests over the real protocols; nothing is
// written to disk.
//
// # What it promises
//
//   - A mail is handed out byte for byte as it was delivered: nothing is parsed, re-encoded, folded or completed. Broken
//     mails are what an order inbox has to survive, so they must arrive broken.
//   - UIDs of a folder only grow and are never used twice; a rebuilt folder (Rebuild) gets another UIDVALIDITY and its
//     clients are disconnected, as real servers do.
//   - MOVE is one step: no moment exists in which a mail is in both folders or in none, wherever a client vanishes. A mail
//     that arrives by APPEND or SMTP is stored when all of it has arrived, or not at all.
//   - A client that stops reading stops nobody else: the account's lock is never held while something is written.
//
// # What it serves
//
// IMAP4rev1 with UIDPLUS, MOVE, IDLE and UNSELECT: FETCH of UID, FLAGS, INTERNALDATE, RFC822.SIZE, ENVELOPE and of the
// sections BODY[], BODY[HEADER], BODY[HEADER.FIELDS (…)] and BODY[TEXT] (with .PEEK and partial ranges); SEARCH by
// number, UID, flag, size, date and text; STATUS, LIST, APPEND, COPY, STORE, EXPUNGE. MIME parts and BODYSTRUCTURE are
// refused with NO [CANNOT], as are renamed folders. The folders INBOX, Processed, Rejected and Review are there from the
// start unless Config says otherwise.
//
// SMTP takes mail for any recipient. Mail to Config.Address is delivered into INBOX; all else is kept for Sent.
//
// # Sessions
//
// Each connection has its own view of the selected folder: the UIDs it was told, in the order of their sequence
// numbers. After a command the view is compared with the folder and the client is told the difference, mails that
// left (where the protocol allows it) before mails that came. An idling session is woken by changes and does the same.
package mailserver

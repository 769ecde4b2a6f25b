// Package mailbox reads and moves the mails of an IMAP account and sends mails by SMTP, so that no mail is ever lost.
//
// # Mailbox
//
// A Mailbox is closed, open, or closed again; Open and Close may follow each other many times. While it is open it holds
// at most one connection, which its callers share one after the other. The connection is an implementation detail: a call
// that finds it dead makes a new one, and a call that fails drops it, so that the next call starts afresh.
//
// Promises:
//
//   - Reading changes nothing: mails are fetched with PEEK, no flag is set.
//   - Fetch returns the bytes that the server holds, all of them, or an error. It never reads more than the size that List
//     announced and a little, whatever the server sends.
//   - Move never loses a mail. It uses MOVE where the server has it. Where it has not, Move copies, checks that the server
//     confirmed the copy, and only then removes exactly this mail (UID EXPUNGE). A server that can do neither is refused
//     by Open. Without MOVE, a crash between the copy and the removal leaves the mail in both folders; with MOVE there is no such
//     moment. What no client can prevent: some servers (Dovecot) let two clients that move the same mail in the same moment
//     both succeed, which leaves two copies. An account is for one bot.
//   - A UID means nothing without its UIDVALIDITY: Move and Fetch compare it with the folder's present one first.
//   - Every call ends when its context ends, at the latest after IMAPConfig.Timeout, whatever the server does: the
//     socket is closed under it. A move that was cut off may have happened; the next one of the same mail says ErrGone then.
//
// # Sender
//
// A Sender sends one mail to one recipient, with the null sender in the envelope: answers of a program must not be answered
// by programs. Each mail has its own connection. The error says whether sending again can help (SendError.Permanent) and
// whether the mail may be on its way although the server's answer was lost (SendError.Uncertain).
//
// # Errors
//
// All errors name the server, and the folder and the UID where there are any: *Error for IMAP, *SendError for SMTP. None
// contains a password, even if the server repeats it.
package mailbox

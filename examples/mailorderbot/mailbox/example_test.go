package mailbox_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// Every mail of the inbox is read, answered and moved, in this order: whatever breaks in between, the mail is still there
// to be looked at again.
func Example() {
	server, err := mailserver.Start(mailserver.Config{}) // stands for the real one
	if err != nil {
		panic(err)
	}
	defer func() { _ = server.Close() }()
	server.Deliver([]byte("From: ann@example.test\r\nSubject: order\r\n\r\nTen boxes, please.\r\n"))

	ctx := context.Background()
	inbox := mailbox.New(mailbox.IMAPConfig{
		Address: server.IMAPAddr(), Username: "orders", Password: "orders", TLS: mailbox.TLSNone,
	})
	if err := inbox.Open(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = inbox.Close(ctx) }()
	sender := mailbox.NewSender(mailbox.SMTPConfig{Address: server.SMTPAddr(), TLS: mailbox.TLSNone})

	items, err := inbox.List(ctx, mailbox.Inbox)
	if err != nil {
		panic(err)
	}
	for _, item := range items {
		raw, err := inbox.Fetch(ctx, item)
		if err != nil {
			panic(err)
		}
		fmt.Printf("mail %d: %d bytes\n", item.UID, len(raw))
		if err := sender.Send(ctx, "ann@example.test", []byte("Subject: Re: order\r\n\r\nThank you.\r\n")); err != nil {
			panic(err)
		}
		err = inbox.Move(ctx, item.UIDValidity, item.UID, "Processed")
		fmt.Println("moved:", err == nil)
		err = inbox.Move(ctx, item.UIDValidity, item.UID, "Processed")
		fmt.Println("moved again:", err == nil, "because it is gone:", errors.Is(err, mailbox.ErrGone))
	}
	fmt.Println(server.Counts()["Processed"], "processed,", len(server.Sent()), "sent")
	// Output:
	// mail 1: 62 bytes
	// moved: true
	// moved again: false because it is gone: true
	// 1 processed, 1 sent
}

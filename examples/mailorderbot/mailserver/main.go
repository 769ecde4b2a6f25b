// Command mailserver is the mail server of the order bot's demonstration as a program of its own: an IMAP account and an
// SMTP server on local ports, nothing on disk. The bot can be killed while its mailbox lives on.
//
//	mailserver [-imap ADDR] [-smtp ADDR] [-status ADDR] [-mails DIR] [-address ADDRESS] [-username NAME] [-password WORD]
//
// Its first line on standard output is a JSON object with the addresses it listens on and the number of mails it delivered
// from DIR (all files *.eml, in the order of their names):
//
//	{"imap":"127.0.0.1:1143","smtp":"127.0.0.1:1025","status":"127.0.0.1:8025","mails":24}
//
// With -status, GET http://ADDR/status tells what it holds: the mails of each folder with UID, size and SHA-256, and the
// mails that were sent. It serves until SIGTERM or SIGINT. Exit codes: 0 after such a signal, 1 when it cannot serve,
// 2 for wrong usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

type options struct {
	mails  string
	status string
	server mailserver.Config
}

// announcement is the first line of output.
type announcement struct {
	IMAP   string `json:"imap"`
	SMTP   string `json:"smtp"`
	Status string `json:"status,omitempty"`
	Mails  int    `json:"mails"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // the flag set has said why
	}
	if err := serve(ctx, opts, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("mailserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.server.IMAPAddr, "imap", "127.0.0.1:1143", "`address` of the IMAP server; port 0 takes a free one")
	flags.StringVar(&o.server.SMTPAddr, "smtp", "127.0.0.1:1025", "`address` of the SMTP server; port 0 takes a free one")
	flags.StringVar(&o.status, "status", "", "`address` to tell by HTTP what the server holds; empty does not")
	flags.StringVar(&o.mails, "mails", "", "`folder` whose *.eml files are delivered into INBOX before serving")
	flags.StringVar(&o.server.Address, "address", "", "mail `address` whose SMTP mails are delivered into INBOX")
	flags.StringVar(&o.server.Username, "username", "orders", "`name` to log in with")
	flags.StringVar(&o.server.Password, "password", "orders", "`word` to log in with")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintln(stderr, "mailserver:", err)
		return o, err
	}
	return o, nil
}

func serve(ctx context.Context, o options, stdout io.Writer) (err error) {
	mails, err := read(o.mails)
	if err != nil {
		return err
	}
	server, err := mailserver.Start(o.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	for _, mail := range mails {
		server.Deliver(mail.Raw)
	}
	hello := announcement{IMAP: server.IMAPAddr(), SMTP: server.SMTPAddr(), Mails: len(mails)}
	failed := make(chan error, 1)
	if o.status != "" {
		addr, stop, err := serveStatus(o.status, server, failed)
		if err != nil {
			return err
		}
		defer stop()
		hello.Status = addr
	}
	if err := json.NewEncoder(stdout).Encode(hello); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

func read(dir string) ([]mailserver.File, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := mailserver.ReadFiles(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("mailserver: -mails %s: %w", dir, err)
	}
	return files, nil
}

// serveStatus serves until stop, which waits for the end. Why serving ended goes to failed, which has room for it.
func serveStatus(addr string, server *mailserver.Server, failed chan<- error) (bound string, stop func(), err error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("mailserver: -status: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(server.Status()) // fails only when the client went away
	})
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { failed <- fmt.Errorf("mailserver: status: %w", web.Serve(ln)) })
	return ln.Addr().String(), func() {
		_ = web.Close() // cuts what is being answered
		serving.Wait()
	}, nil
}

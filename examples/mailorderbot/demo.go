package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
)

// demo is the mail server inside the process, and what lies in its inbox while it does not run.
type demo struct {
	server    *mailserver.Server
	mails     [][]byte
	delivered int // in all; 0 before the first start
}

var errMailsWithAccount = errors.New("-mails is for the demonstration: leave it out, or leave mail_order_bot.imap.address out of the configuration")

// startDemo starts the server; the first time with the mails to show, later with what was left in the inbox.
func (m *module) startDemo(context.Context) error {
	if m.demo.delivered == 0 {
		if err := m.prepareDemo(); err != nil {
			return err
		}
	}
	server, err := mailserver.Start(mailserver.Config{Username: m.cfg.IMAP.Username, Password: m.cfg.IMAP.Password, Address: m.cfg.Account})
	if err != nil {
		return err
	}
	for _, raw := range m.demo.mails {
		server.Deliver(raw)
	}
	m.demo.server = server
	m.shop.UseServers(server.IMAPAddr(), server.SMTPAddr())
	return nil
}

// prepareDemo chooses the mails, and a place for the store if none is configured.
func (m *module) prepareDemo() error {
	list := m.deliver
	if m.mails == "" {
		sub, err := fs.Sub(samples(), "mails")
		if err != nil {
			return err
		}
		if list, err = mailserver.ReadFiles(sub); err != nil {
			return err
		}
		list = append(list, mailserver.File{Raw: oversized(m.cfg.MaxMailBytes)})
	}
	if m.cfg.Store == "" {
		dir, err := os.MkdirTemp("", "mailorderbot-")
		if err != nil {
			return err
		}
		m.cfg.Store = filepath.Join(dir, "orders.db")
		m.shop.UseStore(m.cfg.Store)
	}
	for _, f := range list {
		m.demo.mails = append(m.demo.mails, f.Raw)
	}
	m.demo.delivered = len(m.demo.mails)
	return nil
}

// stopDemo closes the server and keeps what is left in its inbox for another start.
func (m *module) stopDemo(context.Context) error {
	m.demo.mails = m.demo.server.Folders()["INBOX"]
	return m.demo.server.Close()
}

// oversized makes a mail that is larger than limit: too large to lie in a repository.
func oversized(limit int64) []byte {
	var b bytes.Buffer
	b.WriteString("Return-Path: <einkauf@morgenrot.example>\r\n" +
		"Authentication-Results: mx.nordwind.example; dmarc=pass header.from=morgenrot.example\r\n" +
		"From: Morgenrot Einkauf <einkauf@morgenrot.example>\r\n" +
		"To: orders@nordwind.example\r\n" +
		"Subject: Bestellung mit Fotos vom Lager\r\n" +
		"Date: Thu, 06 Mar 2025 16:40:00 +0000\r\n" +
		"Message-ID: <photos-1@morgenrot.example>\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: application/octet-stream; name=\"lager.raw\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n")
	line := append(bytes.Repeat([]byte("QUFB"), 19), "\r\n"...)
	for int64(b.Len()) <= limit {
		b.Write(line)
	}
	return b.Bytes()
}

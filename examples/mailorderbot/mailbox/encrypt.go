package mailbox

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
)

// encrypt returns the connection to speak IMAP on.
func encrypt(ctx context.Context, socket net.Conn, cfg *IMAPConfig) (net.Conn, error) {
	if cfg.TLS == TLSNone {
		return socket, nil
	}
	settings, err := tlsConfig(cfg.Address, cfg.CAFile)
	if err != nil {
		return nil, err
	}
	var greeting string
	if cfg.TLS == TLSStartTLS {
		if err := startTLS(socket); err != nil {
			return nil, fmt.Errorf("starttls: %w", err)
		}
		greeting = "* OK encrypted\r\n" // the server greets once, before the encryption, but imapclient expects it here
	}
	encrypted := tls.Client(socket, settings)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &greeted{Conn: encrypted, r: io.MultiReader(strings.NewReader(greeting), encrypted)}, nil
}

// startTLS speaks the few lines before the encryption. imapclient could, but it waits for ever, whatever the context says,
// when the server's consent is cut off before its end. Anything after the consent was put there by somebody else.
func startTLS(socket net.Conn) error {
	r := bufio.NewReaderSize(socket, 4096)
	greeting, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToUpper(string(greeting)), "* OK") {
		return fmt.Errorf("the server greets with %q", greeting)
	}
	if _, err := io.WriteString(socket, "S1 STARTTLS\r\n"); err != nil {
		return err
	}
	for range 16 {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		answer := strings.ToUpper(string(line))
		switch {
		case strings.HasPrefix(answer, "* "):
			continue
		case !strings.HasPrefix(answer, "S1 OK"):
			return fmt.Errorf("the server answers %q", line)
		case r.Buffered() > 0:
			return fmt.Errorf("there are %d unencrypted bytes after the server's consent", r.Buffered())
		}
		return nil
	}
	return fmt.Errorf("the server sends much but no answer")
}

// greeted is a connection with something to read before its own data.
type greeted struct {
	net.Conn
	r io.Reader
}

// Read implements net.Conn.
func (g *greeted) Read(p []byte) (int, error) { return g.r.Read(p) }

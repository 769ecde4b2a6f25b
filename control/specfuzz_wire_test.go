package control_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// wire speaks HTTP/1.1 as it is told, right or wrong, on connections that it keeps as long as the server does.
type wire struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

// parcel is one request as it goes over the wire.
type parcel struct {
	method, target, host string
	headers              [][2]string
	body                 []byte // nil for none
	chunked              bool
	announced            int    // not 0: the length that is announced of a body that is never sent
	from                 string // not "": the address of this machine to come from, on a connection of its own
}

func (p parcel) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (host %q", p.method, p.target, p.host)
	for _, h := range p.headers {
		fmt.Fprintf(&b, ", %s: %s", h[0], cutText(h[1]))
	}
	fmt.Fprintf(&b, ") %s", cutText(string(p.body)))
	return b.String()
}

func cutText(s string) string {
	if len(s) > 300 {
		return fmt.Sprintf("%q … (%d bytes)", s[:300], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func (p parcel) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", p.method, p.target)
	if p.host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", p.host)
	}
	for _, h := range p.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case p.announced > 0:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", p.announced)
	case p.body == nil:
		b.WriteString("\r\n")
	case p.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := p.body; len(rest) > 0; {
			n := min(len(rest), 1<<16)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n\r\n")
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(p.body), p.body)
	}
	return b.Bytes()
}

// send gives the answer whole, or of a stream of events what has come when enough says so.
func (w *wire) send(p parcel, enough func(answer) bool) (answer, error) {
	own := p.from != "" || p.announced > 0
	if own || w.conn == nil {
		w.drop()
		if err := w.dial(p.from); err != nil {
			return answer{}, err
		}
	}
	_ = w.conn.SetDeadline(time.Now().Add(patience))
	if _, err := w.conn.Write(p.bytes()); err != nil {
		w.drop()
		return answer{}, err
	}
	res, err := http.ReadResponse(w.in, &http.Request{Method: p.method})
	for err == nil && res.StatusCode == http.StatusContinue {
		res, err = http.ReadResponse(w.in, &http.Request{Method: p.method})
	}
	if err != nil {
		w.drop()
		return answer{}, err
	}
	a := answer{res.StatusCode, res.Header, nil}
	if res.Header.Get("Content-Type") == "text/event-stream" && p.method != http.MethodHead {
		defer w.drop()
		for chunk := make([]byte, 1<<14); !enough(a); {
			n, err := res.Body.Read(chunk)
			if a.body = append(a.body, chunk[:n]...); err != nil {
				return a, fmt.Errorf("the stream has ended after %q: %w", a.body, err)
			}
		}
		return a, nil
	}
	a.body, err = io.ReadAll(res.Body)
	if res.Close && errors.Is(err, syscall.ECONNRESET) {
		err = nil // it answered, and did not want to read the rest
	}
	if err != nil || res.Close || own {
		w.drop()
	}
	return a, err
}

func (w *wire) dial(from string) error {
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", w.addr)
	if err != nil {
		return err
	}
	w.conn, w.in = conn, bufio.NewReader(conn)
	return nil
}

func (w *wire) drop() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

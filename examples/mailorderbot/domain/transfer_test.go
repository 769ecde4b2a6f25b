package domain

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBase64(t *testing.T) {
	for text, want := range map[string]string{
		"U0tVLFF0eQ==": "SKU,Qty", "U0tV\r\nLFF0\r\neQ": "SKU,Qty", " U0 tV!": "SKU", "U0tV=": "SKU", "U0tVL": "SKU",
		"U0tVLFF0eQ==\r\nfooter": "SKU,Qty", "": "", "====": "",
	} {
		if got := string(decodeTransfer("base64", []byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestQuotedPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"M=C3=BCller": "Müller", "soft=\r\nbreak": "softbreak", "soft=  \nbreak": "softbreak", "a=3d b=3D": "a= b=",
		"trailing  \r\nx": "trailing\r\nx", "not = encoded =ZZ =4": "not = encoded =ZZ =4", "=": "", "a=\n": "a",
	} {
		if got := string(decodeTransfer("quoted-printable", []byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTransferRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		coded := []byte(base64.StdEncoding.EncodeToString(body))
		for i := 76; i < len(coded); i += 78 {
			coded = append(coded[:i], append([]byte("\r\n"), coded[i:]...)...)
		}
		if got := decodeTransfer("base64", coded); !bytes.Equal(got, body) {
			t.Fatalf("base64: %q", got)
		}
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		w.Binary = true
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if got := decodeTransfer("quoted-printable", b.Bytes()); !bytes.Equal(got, body) {
			t.Fatalf("quoted-printable: %q from %q", got, b.Bytes())
		}
		if got := decodeTransfer("8bit", body); !bytes.Equal(got, body) {
			t.Fatalf("8bit: %q", got)
		}
	})
}

// TestQuotedPrintableAgrees compares with the standard library on what it takes for well-formed.
func TestQuotedPrintableAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "=3D", "=\r\n", "\r\n", " ", "\t", "=C3=BC", ";"})).Draw(t, "text"), "")
		want, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		if got := decodeQuotedPrintable([]byte(text)); !bytes.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}

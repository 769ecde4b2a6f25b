package domain

import (
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

func TestCharsets(t *testing.T) {
	const (
		german  = "Größe;Stück;Müller & Söhne;Überraschung"
		french  = "Référence;Quantité;façade;crème brûlée"
		russian = "Артикул;Количество;Чашка для эспрессо; A-100"
	)
	little, big := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	for _, c := range []struct {
		name, text, label string
		as                encoding.Encoding
		prefix            string
	}{
		{"UTF-8", russian, "utf-8", unicode.UTF8, ""},
		{"UTF-8 with a mark", german, "", unicode.UTF8, "\xef\xbb\xbf"},
		{"UTF-8 labelled Latin-1", french, "iso-8859-1", unicode.UTF8, ""},
		{"UTF-8 labelled Windows-1251", russian, "windows-1251", unicode.UTF8, ""},
		{"Latin-1", german, "iso-8859-1", charmap.ISO8859_1, ""},
		{"Latin-1 labelled UTF-8", french, "utf-8", charmap.ISO8859_1, ""},
		{"Latin-1 without label", german, "", charmap.ISO8859_1, ""},
		{"Windows-1252", "Preis 3 € – „neu“", "us-ascii", charmap.Windows1252, ""},
		{"Windows-1251", russian, "windows-1251", charmap.Windows1251, ""},
		{"Windows-1251 labelled Latin-1", russian, "iso-8859-1", charmap.Windows1251, ""},
		{"Windows-1251 labelled UTF-8", russian, "UTF-8", charmap.Windows1251, ""},
		{"Windows-1251 without label", russian, "", charmap.Windows1251, ""},
		{"Windows-1251 under a label nobody knows", russian, "x-cp-1251-ru", charmap.Windows1251, ""},
		{"KOI8-R", russian, "koi8-r", charmap.KOI8R, ""},
		{"Latin-2", "Łódź; zażółć", "iso-8859-2", charmap.ISO8859_2, ""},
		{"UTF-16 with a mark", russian, "", little, "\xff\xfe"},
		{"UTF-16 BE with a mark", german, "us-ascii", big, "\xfe\xff"},
		{"UTF-16 without a mark", german, "", little, ""},
		{"UTF-16 BE without a mark", french, "", big, ""},
		{"plain", "SKU;Qty", "", unicode.UTF8, ""},
		{"nothing", "", "", unicode.UTF8, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.as.NewEncoder().Bytes([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := decodeText(append([]byte(c.prefix), b...), c.label); got != c.text {
				t.Errorf("%q", got)
			}
		})
	}
}

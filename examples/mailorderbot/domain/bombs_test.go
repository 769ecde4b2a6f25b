package domain_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// trusted is the beginning of a mail from an authenticated customer.
const trusted = "Authentication-Results: mx.nordwind.example; dmarc=pass header.from=tiller.example\r\n" +
	"From: office@tiller.example\r\nSubject: PO 4711\r\nMIME-Version: 1.0\r\n"

const (
	nested   = "the mail is nested too deeply (more than 15 multiparts)"
	parts    = "the mail has too many parts (more than 1000)"
	bloated  = "o.xlsx is not a plain order sheet: it is built too elaborately to be read"
	unpacked = "o.xlsx is larger than 20 MB when it is unpacked"
)

// nest opens multiparts and closes none of them.
func nest(depth int, param func(i int) string) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; %s\r\n\r\n--n%d\r\n", param(i), i)
	}
	return b.String()
}

func TestMailBombs(t *testing.T) {
	plain := func(i int) string { return fmt.Sprintf("boundary=n%d", i) }
	encoded := func(i int) string { return fmt.Sprintf("=?utf-8?q?=62oundary=3Dn%d?=", i) }
	split := func(i int) string { return fmt.Sprintf("boundary*0=n; boundary*1=%d", i) }
	file := "Content-Type: text/csv\r\n\r\nSKU,Qty\r\nA-100,6\r\n"
	message := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 10) + file
	// A multipart behind base64 shows its delimiters only when it is decoded.
	hidden := base64.StdEncoding.EncodeToString([]byte("Content-Type: multipart/mixed; boundary=z\r\n\r\n" + strings.Repeat("--z\r\n\r\n", 1001)))

	for name, c := range map[string]struct{ mail, reason string }{
		"nested as far as allowed":   {nest(15, plain) + file, ""},
		"nested":                     {nest(16, plain) + file, nested},
		"nested, encoded parameters": {nest(30, encoded) + file, nested},
		"nested, split parameters":   {nest(30, split) + file, nested},
		"one boundary for all":       {nest(1, plain) + strings.Repeat("Content-Type: multipart/mixed; boundary=n0\r\n\r\nx\r\n--n0\r\n", 40), nested},
		"parts":                      {nest(1, plain) + strings.Repeat("\r\n--n0\r\n", 100_000), parts},
		"parts in an attached mail":  {nest(1, plain) + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + hidden, parts},
		"messages in messages":       {message, nested},
		"no boundary":                {"Content-Type: multipart/mixed\r\n\r\n" + strings.Repeat("-- \r\n\r\n", 100_000), "no order file is attached"},
		"endless media type":         {"Content-Type: text/csv; " + strings.Repeat("a=b; ", 100_000) + "\r\n\r\nx", "no order file is attached"},
		"files":                      {nest(1, plain) + strings.Repeat(file+"--n0\r\n", 21), "more than 20 files are attached"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(newDesk(t), domain.Raw{Bytes: []byte(trusted + c.mail)})
			if got.Reason != c.reason {
				t.Errorf("%s: %q, want %q", got.Folder, got.Reason, c.reason)
			}
			if (len(got.Orders) == 1) != (c.reason == "") {
				t.Errorf("orders: %v", got.Orders)
			}
		})
	}
}

// parcel packs files into a zip.
func parcel(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// handmade is a workbook written by hand. All its sheets show the same rows.
type handmade struct {
	sheets                int
	rows, strings, styles string
	more                  map[string]string
}

func (h handmade) build(t testing.TB) []byte {
	t.Helper()
	const (
		main  = ` xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
		rel   = ` xmlns="http://schemas.openxmlformats.org/package/2006/relationships"`
		types = ` xmlns="http://schemas.openxmlformats.org/package/2006/content-types"`
		kind  = `http://schemas.openxmlformats.org/officeDocument/2006/relationships/`
	)
	var sheets, rels strings.Builder
	for i := range max(h.sheets, 1) {
		fmt.Fprintf(&sheets, `<sheet name="S%d" sheetId="%d" r:id="rId%d"/>`, i, i+1, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="%sworksheet" Target="worksheets/sheet1.xml"/>`, i+1, kind)
	}
	files := map[string]string{
		"[Content_Types].xml":        `<Types` + types + `></Types>`,
		"_rels/.rels":                `<Relationships` + rel + `><Relationship Id="rId1" Type="` + kind + `officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<workbook` + main + `><sheets>` + sheets.String() + `</sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships` + rel + `>` + rels.String() + `</Relationships>`,
		"xl/worksheets/sheet1.xml":   `<worksheet` + main + `><sheetData>` + goodRows + h.rows + `</sheetData></worksheet>`,
		"xl/sharedStrings.xml":       `<sst` + main + `>` + goodStrings + h.strings + `</sst>`,
		"xl/styles.xml":              `<styleSheet` + main + `>` + h.styles + `</styleSheet>`,
	}
	maps.Copy(files, h.more)
	return parcel(t, files)
}

// goodRows is an order of six pieces of A-100, written with goodStrings.
const (
	goodRows = `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>` +
		`<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v>6</v></c></row>`
	goodStrings = `<si><t>SKU</t></si><si><t>Qty</t></si><si><t>A-100</t></si>`
)

func TestWorkbookBombs(t *testing.T) {
	rep := strings.Repeat
	cells := func(n int) string { return rep(`<c t="s"><v>3</v></c>`, n) }
	long := func(n int) string { return `<si>` + rep(`<r><t>`+rep("x", 1000)+`</t></r>`, n) + `</si>` }
	format := func(code string) string {
		return `<numFmts><numFmt numFmtId="200" formatCode="` + code + `"/></numFmts><cellXfs><xf/><xf numFmtId="200" applyNumberFormat="1"/></cellXfs>`
	}
	for name, c := range map[string]struct {
		book   handmade
		reason string
	}{
		"none":                   {handmade{}, ""},
		"many sheets":            {handmade{sheets: 17}, bloated},
		"large sheets":           {handmade{sheets: 16, rows: rep(`<x/>`, 150_000)}, bloated},
		"long text, many cells":  {handmade{rows: rep(`<row>`+cells(64)+`</row>`, 1900), strings: long(30)}, bloated},
		"too long a text":        {handmade{strings: long(33)}, bloated},
		"nested shared strings":  {handmade{strings: `<si>` + long(20) + long(20) + `</si>`}, bloated},
		"a wide row":             {handmade{rows: `<row>` + cells(513) + `</row>`}, bloated},
		"one row many times":     {handmade{rows: rep(`<row r="3">`+cells(20)+`</row>`, 100)}, bloated},
		"a high row":             {handmade{rows: `<row r="2147483647"><c><v>1</v></c></row>`}, "o.xlsx has more than 2000 rows"},
		"a far column":           {handmade{rows: `<row><c r="XFD3"><v>1</v></c></row>`}, "o.xlsx has more than 64 columns"},
		"many formats":           {handmade{styles: `<numFmts>` + rep(`<numFmt numFmtId="7" formatCode="0"/>`, 1001) + `</numFmts>`}, bloated},
		"a long format":          {handmade{styles: format(rep("0", 129))}, bloated},
		"many elements":          {handmade{strings: rep(`<si/>`, 400_000)}, bloated},
		"deep elements":          {handmade{strings: rep(`<r>`, 101) + rep(`</r>`, 101)}, bloated},
		"a large file":           {handmade{strings: `<!--` + rep(" ", 4<<20) + `-->`}, bloated},
		"broken strings":         {handmade{more: map[string]string{"xl/sharedStrings.xml": `<sst><si>`}}, "o.xlsx cannot be read: the workbook is broken"},
		"a document type":        {handmade{more: map[string]string{"xl/workbook.xml": `<!DOCTYPE x [<!ENTITY a "b">]><workbook/>`}}, "o.xlsx cannot be read: the workbook is broken"},
		"broken side matter":     {handmade{more: map[string]string{"docProps/core.xml": `<x>`, "xl/media/logo.png": "\x89PNG"}}, ""},
		"a file that unpacks on": {handmade{more: map[string]string{"xl/media/a.png": rep("\x00", 21<<20)}}, unpacked},
	} {
		t.Run(name, func(t *testing.T) {
			got := newDesk(t).Decode(domain.Part{
				Mail: domain.Envelope{Customer: "1007", Subject: "PO 4711"}, Name: "o.xlsx", Body: c.book.build(t),
			})
			switch {
			case c.reason == "" && got.Verdict != nil, c.reason != "" && (got.Verdict == nil || got.Verdict.Reason != c.reason):
				t.Errorf("verdict %+v, want %q", got.Verdict, c.reason)
			case c.reason == "" && got.Order.String() != "4711: A-100×6":
				t.Errorf("order %s", got.Order)
			case c.reason != "" && got.Verdict.Folder != domain.FolderRejected:
				t.Errorf("folder %s", got.Verdict.Folder)
			}
		})
	}
}

// TestManyZipEntries: a zip of thousands of files is no workbook, whatever one of them is called.
func TestManyZipEntries(t *testing.T) {
	files := map[string]string{"xl/workbook.xml": "<workbook/>"}
	for i := range 2001 {
		files[fmt.Sprintf("f%d", i)] = ""
	}
	got := newDesk(t).Decode(domain.Part{Name: "o.xlsx", Body: parcel(t, files)})
	if got.Verdict == nil || got.Verdict.Reason != bloated {
		t.Errorf("verdict %+v", got.Verdict)
	}
}

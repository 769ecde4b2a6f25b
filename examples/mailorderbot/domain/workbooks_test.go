package domain_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/xuri/excelize/v2"
)

var update = flag.Bool("update", false, "write the golden files and the workbooks inside the sample mails anew")

// sampleWorkbooks are the workbooks inside the sample mails. All else in those mails is written by hand.
var sampleWorkbooks = []struct {
	mail, file string
	build      func(t *testing.T) []byte
}{
	{"06-workbook.eml", "march.xlsx", marchOrder},
	{"07-two-files.eml", "boat house.xlsx", boatHouse},
	{"24-password.eml", "T-89.xlsx", locked},
	{"25-workbook-formulas.eml", "sums.xlsx", sums},
	{"33-broken-workbook.eml", "KS-0313.xlsx", broken},
}

// TestSampleWorkbooks proves that the workbooks in the sample mails are what this file says.
func TestSampleWorkbooks(t *testing.T) {
	for _, w := range sampleWorkbooks {
		t.Run(w.mail, func(t *testing.T) {
			path := filepath.Join("..", "testdata", "mails", w.mail)
			mail, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			block := regexp.MustCompile(`(?s)(filename="` + regexp.QuoteMeta(w.file) + `"\r\n\r\n)(.*?)(\r\n--)`)
			at := block.FindSubmatchIndex(mail)
			if at == nil {
				t.Fatalf("the mail has no attachment %q", w.file)
			}
			want := wrapped(w.build(t))
			if got := string(mail[at[4]:at[5]]); got == want {
				return
			}
			if !*update {
				t.Fatalf("the attachment differs from what is built here; run with -update if that is meant")
			}
			mail = []byte(string(mail[:at[4]]) + want + string(mail[at[5]:]))
			if err := os.WriteFile(path, mail, 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// wrapped is base64 as mail programs write it.
func wrapped(b []byte) string {
	s := base64.StdEncoding.EncodeToString(b)
	var lines []string
	for ; len(s) > 76; s = s[76:] {
		lines = append(lines, s[:76])
	}
	return strings.Join(append(lines, s), "\r\n")
}

// workbook builds an XLSX file from rows. It is stored uncompressed, so that its bytes depend on no compressor's version.
func workbook(t testing.TB, rows [][]any, more ...func(*excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, r := range rows {
		cell, _ := excelize.CoordinatesToCellName(1, i+1)
		if err := f.SetSheetRow("Sheet1", cell, &r); err != nil {
			t.Fatal(err)
		}
	}
	for _, change := range more {
		change(f)
	}
	packed, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return stored(t, packed.Bytes())
}

// stored packs a zip file anew without compression.
func stored(t testing.TB, packed []byte) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	out := zip.NewWriter(&buf)
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		w, err := out.CreateHeader(&zip.FileHeader{Name: f.Name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// marchOrder has a heading above the table, an article number that only its format writes with its leading zero, and an EAN that
// a spreadsheet shows rounded.
func marchOrder(t *testing.T) []byte {
	return workbook(t, [][]any{
		{"Kanteen Supplies – monthly order"},
		{"Order number", "KS-0311"},
		{},
		{"Item No.", "Description", "Qty", "Unit price"},
		{4711, "Cleaning cloth", 20, 1.45},
		{4712, "Scrubbing brush", 4.0, 3.6},
		{4006381333931, "Table markers", 3, 8.95},
		{"e-500", "Napkins", 40, nil},
	}, func(f *excelize.File) {
		format := "00000"
		style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetCellStyle("Sheet1", "A5", "A6", style); err != nil {
			t.Fatal(err)
		}
	})
}

func boatHouse(t *testing.T) []byte {
	return workbook(t, [][]any{
		{"PO", "SKU", "Qty"},
		{"BW-10491", "D-400", 60},
		{"BW-10491", "G-700", 2},
	}, func(f *excelize.File) {
		// A hidden sheet with a table of its own is the template's business, not the customer's.
		if _, err := f.NewSheet("Lists"); err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow("Lists", "A1", &[]any{"SKU", "Qty"}); err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetVisible("Lists", false); err != nil {
			t.Fatal(err)
		}
	})
}

// sums has quantities that are formulas; their values are stored with them, as spreadsheet programs do.
func sums(t *testing.T) []byte {
	return workbook(t, [][]any{
		{"Order no.", "SKU", "North", "South", "Harbour", "Quantity"},
		{"KS-0312", "A-100", 6, 12, 6, 24},
		{"KS-0312", "A-120", 12, 12, 24, 48},
	}, func(f *excelize.File) {
		for cell, formula := range map[string]string{"F2": "SUM(C2:E2)", "F3": "SUM(C3:E3)"} {
			if err := f.SetCellFormula("Sheet1", cell, formula); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func locked(t *testing.T) []byte {
	cryptotest.SetGlobalRandom(t, 89)
	plain := workbook(t, [][]any{{"PO", "SKU", "Qty"}, {"T-89", "G-700", 1}})
	sealed, err := excelize.Encrypt(plain, &excelize.Options{Password: "espresso"})
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// broken was cut off on its way.
func broken(t *testing.T) []byte {
	whole := workbook(t, [][]any{{"PO", "SKU", "Qty"}, {"KS-0313", "G-700", 1}})
	return whole[:len(whole)/3]
}

package domain_test

import (
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// file is an order file of a customer whose subject names purchase order 4711.
func file(name, body string) domain.Part {
	return domain.Part{Mail: domain.Envelope{Customer: "1001", Subject: "PO 4711"}, Name: name, ContentType: "text/csv", Body: []byte(body)}
}

// outcome writes what a sheet says: its order, or folder and reason.
func outcome(s domain.Sheet) string {
	if s.Verdict != nil {
		return string(s.Verdict.Folder) + ": " + s.Verdict.Reason
	}
	return s.Order.String()
}

func TestDialects(t *testing.T) {
	const good = "4711: A-100×6; B-200×8"
	for name, body := range map[string]string{
		"semicolon":                    "SKU;Qty\nA-100;6\nB-200;8\n",
		"comma":                        "SKU,Qty\nA-100,6\nB-200,8\n",
		"tab":                          "SKU\tQty\nA-100\t6\nB-200\t8\n",
		"bar":                          "SKU|Qty\nA-100|6\nB-200|8\n",
		"CR LF":                        "SKU;Qty\r\nA-100;6\r\nB-200;8\r\n",
		"CR":                           "SKU;Qty\rA-100;6\rB-200;8",
		"no end of line":               "SKU;Qty\nA-100;6\nB-200;8",
		"byte-order mark":              "\ufeffSKU;Qty\nA-100;6\nB-200;8",
		"quoted":                       "\"SKU\";\"Qty\"\n\"A-100\";\"6\"\n\"B-200\";\"8\"",
		"spaces":                       " SKU ; Qty \n A-100 ; 6 \n b-200;8 \n",
		"other columns":                "Pos;SKU;Description;Qty;Remark\n1;A-100;cup, small;6;\n2;B-200;\"plate;\nlarge\";8;soon",
		"inch mark":                    "SKU;Description;Qty\nA-100;5\" cup;6\nB-200;\"11\"\" plate\";8",
		"decimal comma":                "SKU;Qty;Preis\nA-100;6,0;2,40\nB-200;8,00;5,9",
		"decimal comma, quoted":        "SKU,Qty,Price\nA-100,\"6,0\",\"2,40\"\nB-200,\"8\",5.90",
		"German titles":                "Art.-Nr.;Artikel;Menge (Stk.)\nA-100;Tasse;6\nB-200;Teller;8",
		"article without number":       "Artikel;Anzahl\nA-100;6\nB-200;8",
		"Russian titles":               "Артикул;Кол-во\nA-100;6\nB-200;8",
		"capitals":                     "ITEM NO.;QUANTITY\nA-100;6\nB-200;8",
		"separator line":               "sep=;\nSKU;Qty\nA-100;6\nB-200;8",
		"empty lines and sums":         "\n\nSKU;Qty;Price\n\nA-100;6;\n;;\nB-200;8;\n;;61,60\n",
		"rows that only carry remarks": "SKU;Qty;Text\n;;kitchen\nA-100;6;\n;;bar\nB-200;8;",
		"ragged":                       "SKU;Qty;Text;\nA-100;6\nB-200;8;;;;;",
		"number above, too":            "Order no.: 4711;\n;\nSKU;Qty\nA-100;6\nB-200;8",
		"number above, next cell":      "Customer;Morgenrot\nPO;;4711\nSKU;Qty\nA-100;6\nB-200;8",
		"number in a column":           "PO;SKU;Qty\n4711;A-100;6\n;B-200;8",
		"heading that is no number":    "Bestellung;Filiale\nBestellung: 7.3.2025;\nSKU;Qty\nA-100;6\nB-200;8",
	} {
		t.Run(name, func(t *testing.T) {
			s := newDesk(t).Decode(file("o.csv", body))
			if got := outcome(s); got != good {
				t.Errorf("%s\nin %q", got, body)
			}
		})
	}
}

func TestDoubts(t *testing.T) {
	for body, want := range map[string]string{
		"":                                                      "Review: o.csv has no header row with an article and a quantity",
		"Hello,\nplease send 6 cups":                            "Review: o.csv has no header row with an article and a quantity",
		"SKU;Price\nA-100;2,40":                                 "Review: o.csv has no header row with an article and a quantity",
		"SKU;Qty\n":                                             "Review: o.csv has no order lines",
		"SKU;Qty\n;;\n":                                         "Review: o.csv has no order lines",
		"SKU;Qty;Menge\nA-100;6;12":                             "Review: o.csv row 1: two columns for the quantity",
		"SKU;Item no.;Qty\nA-100;X;12":                          "Review: o.csv row 1: two columns for the article number",
		"Artikel;Item;Qty\nA-100;X;12":                          "Review: o.csv row 1: two columns for the article",
		"SKU,Qty\nA-100,6,0":                                    "Review: o.csv row 2: more columns than the header has",
		"SKU;Qty\n\"A-100;6\nB-200;8\n":                         "Review: o.csv row 2: a quotation mark is not closed",
		"SKU;Text;Qty\nA-100;\"x;6\nB;y;8":                      "Review: o.csv row 2: a quotation mark is not closed",
		"PO;SKU;Qty\n1;A-100;6\n2;A-100;6":                      "Review: o.csv row 3: purchase order \"2\" after \"1\"",
		"PO: 12\nPO;SKU;Qty\n13;A-100;6":                        "Review: o.csv row 3: purchase order \"13\" after \"12\"",
		"SKU;Qty\nA-100;6\nA-999;6":                             "Review: o.csv row 3: unknown article \"A-999\"",
		"SKU;Qty\n;6":                                           "Review: o.csv row 2: no article number",
		"SKU;Qty\nA-100;":                                       "Review: o.csv row 2: no quantity for A-100",
		"SKU;Qty\nA-100;7":                                      "Review: o.csv row 2: 7 of A-100 is not a multiple of its pack of 6",
		"SKU;Qty\nA-100;6 pcs":                                  "Review: o.csv row 2: quantity \"6 pcs\" is not a plain number",
		"SKU;Qty;Price\nA-100;6;2,4x":                           "Review: o.csv row 2: price \"2,4x\" is not a plain number",
		"SKU;Qty;Price\nA-100;6;2,30":                           "Review: o.csv row 2: price 2.30 of A-100 is not the catalogue's 2.40",
		"SKU;Qty\n4711;5":                                       "Review: o.csv row 2: unknown article \"4711\"",
		"SKU;Qty\nA\tB\x1b[2J;6":                                "Review: o.csv row 2: unknown article \"A\\tB\\x1b[2J\"",
		"SKU;Qty\n\x00\x01\x02\x03\xff\xfe":                     "Rejected: o.csv is not text",
		"SKU;Qty" + strings.Repeat("\nA-100;6", 2000):           "Rejected: o.csv has more than 2000 rows",
		"SKU;Qty\nA-100;6" + strings.Repeat(";x", 63):           "Rejected: o.csv has more than 64 columns",
		"SKU;Qty\n" + strings.Repeat(" ", 4<<20):                "Rejected: o.csv is larger than 4 MB",
		"PO;SKU;Qty\n" + strings.Repeat("9", 41) + ";A-100;6":   "Review: o.csv row 2: purchase order \"" + strings.Repeat("9", 39) + "…\" is too long",
		"SKU;Qty" + strings.Repeat("\nX;1", 5) + "\nA-100;6":    "Review: o.csv row 2: unknown article \"X\"; o.csv row 3: unknown article \"X\"; o.csv row 4: unknown article \"X\"; and 2 more",
		strings.Repeat("note;\n", 31) + "SKU;Qty\nA-100;6":      "Review: o.csv has no header row with an article and a quantity",
		"SKU;Qty\n" + strings.Repeat("A", 100) + ";1":           "Review: o.csv row 2: unknown article \"" + strings.Repeat("A", 39) + "…\"",
		"SKU;Qty\nA-100;" + strings.Repeat("9", 100) + "\nB;1x": "Review: o.csv row 2: quantity \"" + strings.Repeat("9", 39) + "…\" is not a plain number; o.csv row 3: unknown article \"B\"",
	} {
		s := newDesk(t).Decode(file("o.csv", body))
		if got := outcome(s); got != want {
			t.Errorf("%.60q:\ngot  %s\nwant %s", body, got, want)
		}
		answered := s.Verdict != nil && s.Verdict.Answer != domain.AnswerNone
		if answered != strings.HasPrefix(want, "Rejected") {
			t.Errorf("%.60q: answer %v", body, answered)
		}
	}
}

func TestKinds(t *testing.T) {
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	order := "SKU;Qty\nA-100;6"
	for _, c := range []struct{ name, contentType, body, want string }{
		{"o.csv", "application/vnd.ms-excel", order, "4711: A-100×6"},
		{"o.txt", "text/plain", order, "4711: A-100×6"},
		{"o", "application/octet-stream", order, "4711: A-100×6"},
		{"o.csv", "text/csv", string(parcel(t, map[string]string{"a.csv": order})), "Rejected: o.csv is an archive; please send the files themselves"},
		{"o.xlsx", "", string(parcel(t, map[string]string{"a.csv": order})), "Rejected: o.xlsx is an archive; please send the files themselves"},
		{"o.docx", "", string(parcel(t, map[string]string{"word/document.xml": "<x/>"})), "Rejected: o.docx is neither XLSX nor CSV"},
		{"o.ods", "", string(parcel(t, map[string]string{"mimetype": "x", "content.xml": "<x/>"})), "Rejected: o.ods is neither XLSX nor CSV"},
		{"o.xlsx", "", "not a zip", "Rejected: o.xlsx cannot be read: the workbook is broken"},
		{"o.xlsx", "", "PK\x03\x04 cut off", "Rejected: o.xlsx cannot be read: the workbook is broken"},
		{"o.bin", "", "PK\x03\x04 cut off", "Rejected: o.bin is an archive; please send the files themselves"},
		{"o.xls", "", ole, "Rejected: o.xls is an old Excel file (.xls); please send XLSX or CSV"},
		{"o.doc", "", ole, "Rejected: o.doc is neither XLSX nor CSV"},
		{"o.csv", "text/csv", "%PDF-1.7", "Rejected: o.csv is a PDF file; please send XLSX or CSV"},
		{"o", "application/pdf", "", "Rejected: o is a PDF file; please send XLSX or CSV"},
		{"o.gz", "", "\x1f\x8b", "Rejected: o.gz is an archive; please send the files themselves"},
		{"winmail.dat", "application/ms-tnef", "\x78\x9f\x3e\x22", "Rejected: winmail.dat is neither XLSX nor CSV"},
		{"o.html", "text/html", "<table>", "Rejected: o.html is neither XLSX nor CSV"},
	} {
		p := file(c.name, c.body)
		p.ContentType = c.contentType
		if got := outcome(newDesk(t).Decode(p)); got != c.want {
			t.Errorf("%s, %s:\ngot  %s\nwant %s", c.name, c.contentType, got, c.want)
		}
	}
}

func TestWorkbooks(t *testing.T) {
	head := []any{"SKU", "Qty"}
	sheet := func(name string, rows ...[]any) func(*excelize.File) {
		return func(f *excelize.File) {
			if _, err := f.NewSheet(name); err != nil {
				t.Fatal(err)
			}
			for i, r := range rows {
				cell, _ := excelize.CoordinatesToCellName(1, i+1)
				if err := f.SetSheetRow(name, cell, &r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	percent := func(f *excelize.File) {
		style, err := f.NewStyle(&excelize.Style{NumFmt: 9})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetCellStyle("Sheet1", "B2", "B2", style); err != nil {
			t.Fatal(err)
		}
	}
	formula := func(f *excelize.File) {
		if err := f.SetCellFormula("Sheet1", "B2", "2*3"); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		book []byte
		want string
	}{
		"plain":                   {workbook(t, [][]any{head, {"A-100", 6}}), "4711: A-100×6"},
		"text and spaces":         {workbook(t, [][]any{head, {" a-100 ", "6,0"}}), "4711: A-100×6"},
		"gaps":                    {workbook(t, [][]any{{}, {}, {nil, "SKU", nil, "Qty"}, {}, {nil, "A-100", nil, 6}}), "4711: A-100×6"},
		"stored, not shown":       {workbook(t, [][]any{head, {"A-100", 6}}, percent), "4711: A-100×6"},
		"fraction":                {workbook(t, [][]any{head, {"A-100", 6.5}}), "Review: o.xlsx row 2: quantity \"6.5\" is not a whole number"},
		"formula without a value": {workbook(t, [][]any{head, {"A-100", nil}}, formula), "Review: o.xlsx row 2: no quantity for A-100"},
		"number without zero":     {workbook(t, [][]any{head, {4711, 5}}), "Review: o.xlsx row 2: unknown article \"4711\""},
		"row numbers":             {workbook(t, [][]any{{}, head, {}, {"A-100", 6}, {}, {"X", 1}}), "Review: o.xlsx row 6: unknown article \"X\""},
		"second sheet":            {workbook(t, [][]any{{"Welcome"}}, sheet("Order", head, []any{"A-100", 6})), "4711: A-100×6"},
		"two sheets":              {workbook(t, [][]any{head, {"A-100", 6}}, sheet("More", head, []any{"B-200", 4})), "Review: o.xlsx 2 sheets hold order lines"},
		"no order":                {workbook(t, [][]any{{"Hello"}}), "Review: o.xlsx has no header row with an article and a quantity"},
		"nothing":                 {workbook(t, nil), "Review: o.xlsx has no header row with an article and a quantity"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outcome(newDesk(t).Decode(file("o.xlsx", string(c.book)))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestPartial(t *testing.T) {
	desk := newDesk(t, func(p *domain.Policy) { p.Partial = true })
	s := desk.Decode(file("o.csv", "SKU;Qty\nA-100;6\nX-1;6\nB-200;5\nB-210;4"))
	got := desk.Decide([]domain.Sheet{s})
	want := "o.csv row 3: unknown article \"X-1\"; o.csv row 4: 5 of B-200 is not a multiple of its pack of 4"
	if got.Folder != domain.FolderProcessed || got.Reason != want || got.Answer != domain.AnswerConfirm {
		t.Errorf("%s, %q, %s", got.Folder, got.Reason, got.Answer)
	}
	if len(got.Orders) != 1 || got.Orders[0].String() != "4711: A-100×6; B-210×4" {
		t.Errorf("orders %v", got.Orders)
	}
	if s := desk.Decode(file("o.csv", "SKU;Qty\nX-1;6")); outcome(s) != "Review: o.csv row 2: unknown article \"X-1\"" {
		t.Errorf("nothing good in it: %s", outcome(s))
	}
}

package domain_test

import (
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// attach is a mail of a customer with one part for every header given; the body is a good order.
func attach(heads ...string) domain.Raw {
	var b strings.Builder
	b.WriteString(trusted + "Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for _, h := range heads {
		b.WriteString("--b\r\n" + h + "\r\n\r\nSKU;Qty\r\nA-100;6\r\n")
	}
	b.WriteString("--b--\r\n")
	return domain.Raw{Bytes: []byte(b.String())}
}

func TestFileNames(t *testing.T) {
	for head, want := range map[string]string{
		`Content-Disposition: attachment; filename="o.csv"`:                                           "o.csv",
		`Content-Type: text/csv; name=o.csv`:                                                          "o.csv",
		`Content-Type: text/csv`:                                                                      "attachment.csv",
		`Content-Disposition: attachment; filename="../../etc/o.csv"`:                                 "o.csv",
		`Content-Disposition: attachment; filename="..\\..\\o.csv"`:                                   "o.csv",
		`Content-Disposition: attachment; filename="C:\orders\o.csv"`:                                 "o.csv",
		`Content-Disposition: attachment; filename="/"` + "\r\nContent-Type: text/csv":                "attachment.csv",
		`Content-Disposition: attachment; filename=".."` + "\r\nContent-Type: text/csv":               "attachment.csv",
		`Content-Disposition: attachment; filename="=?utf-8?Q?Gr=C3=BC=C3=9Fe.csv?="`:                 "Grüße.csv",
		`Content-Disposition: attachment; filename="=?utf-8?Q?..=2F..=2Fo.csv?="`:                     "o.csv",
		`Content-Disposition: attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe%2Ecsv`:                     "Grüße.csv",
		`Content-Disposition: attachment; filename*0="long "; filename*1="name.csv"`:                  "long name.csv",
		"Content-Disposition: attachment; filename=\"o\u202evsc.csv\"":                                "o vsc.csv",
		`Content-Disposition: attachment; filename="` + strings.Repeat("ä", 200) + `.csv"`:            strings.Repeat("ä", 75) + "….csv",
		`Content-Disposition: attachment; filename="o.csv.` + strings.Repeat("x", 300) + `"` + "\r\n": "",
	} {
		got := newDesk(t).Parse(attach(head))
		if len(got) != 1 || got[0].Name != want && want != "" {
			t.Errorf("%.80s: %q (%d parts), want %q", head, got[0].Name, len(got), want)
		}
		if n := len([]rune(got[0].Name)); n > 80 {
			t.Errorf("%.80s: a name of %d letters", head, n)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	o := `Content-Disposition: attachment; filename="o.csv"`
	parts := newDesk(t).Parse(attach(o, strings.ToUpper(o[:32])+`; filename="O.CSV"`, o, `Content-Disposition: attachment; filename="o (2).csv"`))
	seen := map[string]bool{}
	for _, p := range parts {
		seen[strings.ToLower(domain.FileName(p))] = true
	}
	if len(parts) != 4 || len(seen) != 4 {
		t.Errorf("%d parts, names %v", len(parts), seen)
	}
	if name := domain.FileName(domain.Part{Verdict: &domain.Verdict{}}); name == "" {
		t.Error("a part without a file has no key")
	}
}

// TestLeaves: which parts of a mail count as files.
func TestLeaves(t *testing.T) {
	for head, want := range map[string]string{
		"Content-Type: text/plain":                                                       "",
		"X-Nothing: here":                                                                "",
		"Content-Type: text/html":                                                        "",
		"Content-Type: image/png; name=scan.png":                                         "",
		"Content-Type: text/x-vcard":                                                     "",
		"Content-Type: application/pkcs7-signature; name=smime.p7s":                      "",
		"Content-Type: text/csv\r\nContent-Disposition: inline":                          "attachment.csv",
		"Content-Type: TEXT/CSV; NAME=o.csv":                                             "o.csv",
		"Content-Type: text/plain; name=o.txt":                                           "o.txt",
		"Content-Type: text/plain\r\nContent-Disposition: attachment":                    "attachment.csv",
		"Content-Type: application/octet-stream; name=order":                             "order",
		"Content-Type: text/html; name=o.html\r\nContent-Disposition: attachment":        "o.html",
		"Content-Type: video/mp4; name=o.mp4":                                            "o.mp4",
		"Content-Disposition: attachment; filename=o.csv":                                "o.csv",
		"Content-Type: message/rfc822\r\n\r\nFrom: x\r\nContent-Type: text/csv":          "attachment.csv",
		"Content-Type: message/rfc822\r\n\r\nFrom: x\r\nContent-Type: text/plain":        "",
		"Content-Type: text/csv; charset=\"windows-1251\"; name=o.csv; x=y; broken":      "o.csv",
		"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/csv": "attachment.csv",
	} {
		var names []string
		for _, p := range newDesk(t).Parse(attach(head)) {
			if p.Verdict == nil {
				names = append(names, p.Name)
			}
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
	notice := strings.Replace(string(attach(`Content-Disposition: attachment; filename="virus.txt"`).Bytes), "SKU", "No virus", 1)
	if got := run(newDesk(t), domain.Raw{Bytes: []byte(notice)}); got.Reason != "no order file is attached" {
		t.Errorf("a notice: %s", got.Reason)
	}
}

package domain_test

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

func TestReadCatalogue(t *testing.T) {
	c, err := domain.ReadCatalogue(strings.NewReader("article,name,pack,price\nA-1, Cup ,6,2.40\n"))
	if err != nil || c.Len() != 1 {
		t.Fatal(c.Len(), err)
	}
	if a, ok := c.Find("  a-1 "); !ok || a != (domain.Article{Number: "A-1", Name: "Cup", Pack: 6, Price: 240}) {
		t.Errorf("%+v, %v", a, ok)
	}
	var none domain.Catalogue
	if _, ok := none.Find("A-1"); ok || none.Len() != 0 {
		t.Error("the zero catalogue knows something")
	}
}

func TestReadCatalogueFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "catalogue: the header line cannot be read: EOF",
		"article;name\n":       "catalogue line 1: the header must be article,name,pack,price",
		"article,name,price\n": "catalogue line 1: the header must be article,name,pack,price",
		"article,name,pack,price\nA,Cup,0,1\n,Cup,1,1\nA,Cup,1,x\nA,Cup,1\nB,Cup,1,1\nb,Cup,1,1\n": `catalogue line 2: pack "0" is not a number from 1 to 999999
catalogue line 3: the article number is empty
catalogue line 4: price "x" is not a plain number
catalogue line 5: wrong number of fields
catalogue line 7: article "b" is there twice`,
		"article,name,pack,price\nA,Cup,0,1\n\"A,Cup\n": "catalogue line 2: pack \"0\" is not a number from 1 to 999999\ncatalogue line 3: extraneous or missing \" in quoted-field",
	} {
		if _, err := domain.ReadCatalogue(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
	broken := errors.New("disk on fire")
	r := iotest.ErrReader(broken)
	if _, err := domain.ReadCatalogue(r); !errors.Is(err, broken) {
		t.Errorf("a broken reader: %v", err)
	}
}

func TestReadCustomers(t *testing.T) {
	c, err := domain.ReadCustomers(strings.NewReader("number,name,address\n1,One,A@One.example\n2,Two,@two.example\n3,Three,x@two.example\n"))
	if err != nil || c.Len() != 3 {
		t.Fatal(c.Len(), err)
	}
	for address, want := range map[string]string{
		"a@one.example": "1", "b@one.example": "", "B@TWO.example": "2", "x@two.example": "3", "a@sub.two.example": "",
		"two.example": "", "": "", "@two.example": "2",
	} {
		if got, _ := c.Find(address); got.Number != want {
			t.Errorf("%q: customer %q, want %q", address, got.Number, want)
		}
	}
	_, err = domain.ReadCustomers(strings.NewReader("number,name,address\n,One,a@b\n1,One,nobody\n1,One,a@b@c\n1,One,a@b\n2,Two,A@B\n"))
	want := `customers line 2: the customer number is empty
customers line 3: "nobody" is neither an address nor @domain
customers line 4: "a@b@c" is neither an address nor @domain
customers line 6: address "A@B" is there twice`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestExport(t *testing.T) {
	var b bytes.Buffer
	rows := [][]string{{"file", "reason"}, {"=cmd|' /C calc'!A0", "+1"}, {"@SUM(1)", "-2"}, {"a=b", "1-2"}, {"\tx", ""}, {"\r=1", "a,\"b\""}}
	if err := domain.Export(&b, rows); err != nil {
		t.Fatal(err)
	}
	want := "file,reason\n'=cmd|' /C calc'!A0,'+1\n'@SUM(1),'-2\na=b,1-2\n'\tx,\n\"'\r=1\",\"a,\"\"b\"\"\"\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	full := errors.New("disk full")
	if err := domain.Export(failing{full}, rows); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestImports: the business knows nothing of the platform, nor of files, networks and clocks.
func TestImports(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if strings.HasPrefix(path, "github.com/plba/") || path == "os" || path == "net" || path == "net/http" || path == "math/rand" {
				t.Errorf("%s imports %s", e.Name(), path)
			}
		}
	}
	if files < 15 {
		t.Errorf("looked at %d files only", files)
	}
}

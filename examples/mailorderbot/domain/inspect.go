package domain

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// What a workbook may unpack to. A few kilobytes of zip can claim gigabytes; a small sheet can repeat one long text in a
// hundred thousand cells; some work of the library grows with the product of two numbers. An order sheet of 2,000 rows with ten columns
// stays far below all of it.
const (
	maxUnpacked     = 20 << 20  // bytes, all files of the workbook together
	maxXML          = 4 << 20   // bytes of one file of it
	maxEntries      = 2_000     // files in it
	maxElements     = 400_000   // elements in one file
	maxVisits       = 2_000_000 // elements in the largest file, times sheets: each may show the same file
	maxSheets       = 16
	maxRelations    = 2_000
	maxFormats      = 1_000 // number formats
	maxFormatLength = 128   // bytes of one
	maxCellText     = 32 << 10
	maxCellsInRow   = 512
	maxDepth        = 100 // of elements
)

var (
	errTooLarge  = fmt.Errorf("is larger than %d MB when it is unpacked", maxUnpacked>>20)
	errBloated   = errors.New("is not a plain order sheet: it is built too elaborately to be read")
	errEncrypted = errors.New("is protected by a password")
)

// inspectWorkbook unpacks a workbook within limits and packs up again what is well-formed XML within limits. Pictures and
// other binary content are left behind: no order is in them.
func inspectWorkbook(body []byte) ([]byte, error) {
	in, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, errWorkbook
	}
	if len(in.File) > maxEntries {
		return nil, errBloated
	}
	var buf bytes.Buffer
	out := zip.NewWriter(&buf)
	budget := maxUnpacked
	var sum census
	for _, f := range in.File {
		content, err := unpack(f, &budget)
		if err != nil {
			return nil, err
		}
		c, ok, err := inspectXML(content)
		if err != nil {
			return nil, err
		}
		if sum.add(c); sum.relations > maxRelations || sum.elements*max(sum.sheets, 1) > maxVisits {
			return nil, errBloated
		}
		switch {
		case !ok && needed(f.Name):
			return nil, errWorkbook
		case !ok:
			continue
		}
		if err := store(out, f.Name, content); err != nil {
			return nil, errWorkbook
		}
	}
	if err := out.Close(); err != nil {
		return nil, errWorkbook
	}
	return buf.Bytes(), nil
}

// needed tells the files that must not be left out, for the others would read differently without them.
func needed(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	return (strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".rels")) &&
		(strings.HasPrefix(name, "xl/") || !strings.Contains(name, "/") || strings.HasPrefix(name, "_rels/"))
}

func store(out *zip.Writer, name string, content []byte) error {
	w, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// unpack reads one file of the workbook. It counts the bytes that come out, not those that the file announces.
func unpack(f *zip.File, budget *int) ([]byte, error) {
	if f.Flags&1 != 0 {
		return nil, errEncrypted
	}
	if f.FileInfo().IsDir() {
		return nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, errWorkbook
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, int64(*budget)+1))
	if *budget -= len(content); *budget < 0 {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errWorkbook
	}
	return content, nil
}

// inspectXML says whether content is well-formed XML in UTF-8, and fails when it goes beyond the limits.
func inspectXML(content []byte) (c census, ok bool, err error) {
	d := xml.NewDecoder(bytes.NewReader(content))
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return c, c.elements > 0 && c.depth == 0, nil
		}
		if err != nil {
			return census{}, false, nil
		}
		switch t := token.(type) {
		case xml.StartElement:
			c.start(t)
		case xml.EndElement:
			c.end()
		case xml.CharData:
			c.text += len(t)
		case xml.Directive:
			return census{}, false, nil // no workbook declares a document type
		}
		if c.bloated || c.depth < 0 || d.InputOffset() > maxXML {
			return census{}, false, errBloated
		}
	}
}

// census counts what makes a workbook expensive.
type census struct {
	elements, depth            int
	sheets, formats, relations int
	row, cells                 int // the row at hand and the cells in it so far
	shared, text               int // the depth of the shared string at hand, 0 outside, and the length of its text
	bloated                    bool
}

// add adds up what counts for the workbook as a whole: the elements are those of the largest file.
func (c *census) add(file census) {
	c.elements = max(c.elements, file.elements)
	c.sheets += file.sheets
	c.relations += file.relations
}

func (c *census) start(e xml.StartElement) {
	c.elements++
	c.depth++
	switch e.Name.Local {
	case "sheet":
		c.sheets++
	case "Relationship":
		c.relations++
	case "numFmt":
		c.formats++
		c.bloated = c.bloated || len(attribute(e, "formatCode")) > maxFormatLength
	case "row":
		c.startRow(e)
	case "c":
		c.cells++
	case "si":
		if c.shared == 0 {
			c.shared, c.text = c.depth, 0
		}
	}
	c.bloated = c.bloated || c.elements > maxElements || c.depth > maxDepth || c.sheets > maxSheets || c.formats > maxFormats || c.cells > maxCellsInRow
}

// startRow wants rows to be in order: the library would add the cells of one that is not to the row before.
func (c *census) startRow(e xml.StartElement) {
	next, _ := strconv.Atoi(attribute(e, "r"))
	if next == 0 {
		next = c.row + 1
	}
	c.bloated = c.bloated || next <= c.row
	c.row, c.cells = next, 0
}

func (c *census) end() {
	if c.shared == c.depth {
		c.bloated = c.bloated || c.text > maxCellText
		c.shared = 0
	}
	c.depth--
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

package domain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/xuri/excelize/v2"
)

// maxCells is how many cells of a workbook are read, as shown and as stored together.
const maxCells = 80_000

var errWorkbook = errors.New("cannot be read: the workbook is broken")

// readWorkbook reads the one visible sheet of an XLSX file that has the header of an order. It hands the library only what
// passed inspection (see inspect.go), so that time and memory are bounded whatever the file says about itself.
func readWorkbook(body []byte) table {
	clean, err := inspectWorkbook(body)
	if err != nil {
		return table{broken: err.Error()}
	}
	sheets, err := readSheets(clean)
	if err != nil {
		return table{broken: err.Error()}
	}
	var found []table
	for _, t := range sheets {
		if t.broken != "" {
			return t
		}
		if _, ok := t.find(); ok {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return table{}
	case 1:
		return found[0]
	default:
		found[0].doubt = fmt.Sprintf("%d sheets hold order lines", len(found))
		return found[0]
	}
}

// readSheets reads the visible sheets. A panic of the library is the file's fault: the file is broken.
func readSheets(clean []byte) (sheets []table, err error) {
	defer func() {
		if recover() != nil {
			sheets, err = nil, errWorkbook
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(clean), excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpacked})
	if err != nil {
		return nil, errWorkbook
	}
	defer f.Close()
	left := allowance{cells: maxCells, bytes: maxTableBytes}
	for _, name := range f.GetSheetList() {
		visible, err := f.GetSheetVisible(name)
		if err != nil {
			return nil, errWorkbook
		}
		if !visible {
			continue
		}
		t, err := readSheet(f, name, &left)
		if err != nil {
			return nil, errWorkbook
		}
		sheets = append(sheets, t)
	}
	return sheets, nil
}

// allowance is what may still be read from a workbook.
type allowance struct{ cells, bytes int }

func (a *allowance) take(values []string) bool {
	a.cells -= len(values)
	for _, v := range values {
		a.bytes -= len(v)
	}
	return a.cells >= 0 && a.bytes >= 0
}

// readSheet walks a sheet twice in step: once for what the customer sees, once for what is stored.
func readSheet(f *excelize.File, name string, left *allowance) (table, error) {
	shown, err := f.Rows(name)
	if err != nil {
		return table{}, err
	}
	defer shown.Close()
	raw, err := f.Rows(name)
	if err != nil {
		return table{}, err
	}
	defer raw.Close()

	var t table
	for number := 1; shown.Next() && raw.Next(); number++ {
		if number > maxRows {
			return table{broken: fmt.Sprintf("has more than %d rows", maxRows)}, nil
		}
		s, err := shown.Columns()
		if err != nil {
			return table{}, err
		}
		r, err := raw.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return table{}, err
		}
		if !left.take(s) || !left.take(r) {
			return table{broken: errBloated.Error()}, nil
		}
		if t = t.with(number, s, r); t.broken != "" {
			return t, nil
		}
	}
	return t, nil
}

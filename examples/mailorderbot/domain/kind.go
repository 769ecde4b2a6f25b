package domain

import (
	"archive/zip"
	"bytes"
	"path"
	"strings"
)

// kind is what a file is, by its content first and by its name and label only then.
type kind uint8

const (
	kindIgnored  kind = iota // a body text, a logo, a signature: nobody orders with it
	kindCSV                  // a table as text
	kindMaybeCSV             // text that is an order only if it has the header of one
	kindWorkbook             // an XLSX file
	kindLocked               // an Office file under a password
	kindOldExcel
	kindPDF
	kindArchive
	kindOther
)

// Marks at the beginning of files.
const (
	magicZip      = "PK\x03\x04"
	magicEmptyZip = "PK\x05\x06"
	magicOLE      = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	magicPDF      = "%PDF-"
)

// refusal is why a file of this kind is not read, or "" for the kinds that are.
func (k kind) refusal() string {
	switch k {
	case kindLocked:
		return "is protected by a password"
	case kindOldExcel:
		return "is an old Excel file (.xls); please send XLSX or CSV"
	case kindPDF:
		return "is a PDF file; please send XLSX or CSV"
	case kindArchive:
		return "is an archive; please send the files themselves"
	case kindOther:
		return "is neither XLSX nor CSV"
	default:
		return ""
	}
}

// kindOf looks at a file.
func kindOf(name, contentType string, body []byte) kind {
	ext := strings.ToLower(path.Ext(name))
	contentType, _, _ = strings.Cut(contentType, ";")
	if k, ok := kindByContent(ext, body); ok {
		return k
	}
	if k, ok := kindByName(ext); ok {
		return k
	}
	return kindByLabel(contentType, name != "")
}

func kindByContent(ext string, body []byte) (kind, bool) {
	has := func(magic string) bool { return bytes.HasPrefix(body, []byte(magic)) }
	switch {
	case has(magicZip), has(magicEmptyZip):
		return zipKind(ext, body), true
	case has(magicOLE) && bytes.Contains(body, []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")):
		return kindLocked, true
	case has(magicOLE) && (ext == ".xls" || ext == ".xlt" || ext == ".xlsx" || ext == ""):
		return kindOldExcel, true
	case has(magicOLE):
		return kindOther, true
	case bytes.Contains(body[:min(len(body), 1024)], []byte(magicPDF)):
		return kindPDF, true
	case has("\x1f\x8b"), has("Rar!\x1a"), has("7z\xbc\xaf\x27\x1c"), has("BZh"), has("\xfd7zXZ"):
		return kindArchive, true
	default:
		return 0, false
	}
}

// zipKind tells workbooks, other documents and archives apart. A broken file that calls itself XLSX stays one: it is
// reported as unreadable.
func zipKind(ext string, body []byte) kind {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		if ext == ".xlsx" || ext == ".xlsm" {
			return kindWorkbook
		}
		return kindArchive
	}
	for _, f := range z.File {
		switch strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/")) {
		case "xl/workbook.xml":
			return kindWorkbook
		case "mimetype", "word/document.xml", "ppt/presentation.xml", "xl/workbook.bin":
			return kindOther
		}
	}
	return kindArchive
}

func kindByName(ext string) (kind, bool) {
	switch ext {
	case ".csv", ".tsv", ".tab":
		return kindCSV, true
	case ".txt", ".dat":
		return kindMaybeCSV, true
	case ".xlsx", ".xlsm": // without the mark of a zip: broken
		return kindWorkbook, true
	case ".xls":
		return kindOldExcel, true
	case ".pdf":
		return kindPDF, true
	case ".zip", ".rar", ".7z", ".gz", ".tgz", ".tar", ".bz2", ".xz":
		return kindArchive, true
	case ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".svg", ".webp", ".vcf", ".ics", ".asc", ".sig", ".p7s":
		return kindIgnored, true
	default:
		return 0, false
	}
}

func kindByLabel(contentType string, named bool) kind {
	switch contentType {
	case "text/csv", "text/comma-separated-values", "text/tab-separated-values", "application/csv", "text/x-csv":
		return kindCSV
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return kindWorkbook
	case "application/pdf":
		return kindPDF
	case "application/zip", "application/x-zip-compressed", "application/gzip":
		return kindArchive
	case "text/plain", "application/octet-stream", "application/vnd.ms-excel":
		return kindMaybeCSV
	case "text/html", "text/enriched":
		if named {
			return kindOther
		}
		return kindIgnored
	case "text/calendar", "text/vcard", "text/x-vcard", "application/pgp-signature", "application/pgp-keys",
		"application/pkcs7-signature", "application/x-pkcs7-signature", "message/delivery-status", "text/rfc822-headers", "":
		return kindIgnored
	}
	if strings.HasPrefix(contentType, "image/") || strings.HasPrefix(contentType, "multipart/") {
		return kindIgnored
	}
	return kindOther
}

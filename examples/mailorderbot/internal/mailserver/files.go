package mailserver

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// File is a mail in a folder of files.
type File struct {
	Name string
	Raw  []byte
}

// ReadFiles returns the *.eml files at the top of fsys, in the order of their names. That there are none is an error.
func ReadFiles(fsys fs.FS) ([]File, error) {
	entries, err := fs.ReadDir(fsys, ".") // sorted by name
	if err != nil {
		return nil, err
	}
	var files []File
	for _, entry := range entries {
		if entry.IsDir() || !strings.EqualFold(path.Ext(entry.Name()), ".eml") {
			continue
		}
		raw, err := fs.ReadFile(fsys, entry.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, File{Name: entry.Name(), Raw: raw})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no *.eml file among %d entries", len(entries))
	}
	return files, nil
}

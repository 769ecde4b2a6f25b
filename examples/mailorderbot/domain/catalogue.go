package domain

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Article is what can be ordered.
type Article struct {
	Number string
	Name   string
	Pack   int   // pieces in a pack: quantities are multiples of it; 1 or more
	Price  Cents // of one piece
}

// Catalogue is the list of articles by number. The zero value knows none. It is safe for concurrent use.
type Catalogue struct{ byNumber map[string]Article }

// Len is the number of articles.
func (c Catalogue) Len() int { return len(c.byNumber) }

// Find looks an article up by its number; case and spaces around it do not matter.
func (c Catalogue) Find(number string) (Article, bool) {
	a, ok := c.byNumber[articleKey(number)]
	return a, ok
}

func articleKey(number string) string {
	return strings.ToUpper(strings.Join(strings.Fields(number), " "))
}

// ReadCatalogue reads a CSV file with the columns article, name, pack and price. Its errors name the line, all at once.
func ReadCatalogue(r io.Reader) (Catalogue, error) {
	c := Catalogue{byNumber: map[string]Article{}}
	err := readRecords(r, "catalogue", []string{"article", "name", "pack", "price"}, func(f []string) error {
		a, err := readArticle(f)
		if err != nil {
			return err
		}
		key := articleKey(a.Number)
		if _, twice := c.byNumber[key]; twice {
			return fmt.Errorf("article %q is there twice", a.Number)
		}
		c.byNumber[key] = a
		return nil
	})
	return c, err
}

func readArticle(f []string) (Article, error) {
	a := Article{Number: f[0], Name: f[1]}
	if a.Number == "" {
		return a, errors.New("the article number is empty")
	}
	var err error
	if a.Pack, err = strconv.Atoi(f[2]); err != nil || a.Pack < 1 || a.Pack > maxQuantity {
		return a, fmt.Errorf("pack %q is not a number from 1 to %d", f[2], maxQuantity)
	}
	if a.Price, err = parsePrice(f[3]); err != nil {
		return a, fmt.Errorf("price %w", err)
	}
	return a, nil
}

// readRecords reads a small table that we keep ourselves: a fixed header, then records; every fault with its line.
func readRecords(r io.Reader, what string, header []string, each func(fields []string) error) error {
	in := csv.NewReader(r)
	in.TrimLeadingSpace = true
	in.FieldsPerRecord = len(header)
	first, err := in.Read()
	if err != nil && !errors.Is(err, csv.ErrFieldCount) {
		return fmt.Errorf("%s: the header line cannot be read: %w", what, err)
	}
	if !slices.Equal(first, header) {
		return fmt.Errorf("%s line 1: the header must be %s", what, strings.Join(header, ","))
	}
	var faults []error
	for {
		f, err := in.Read()
		if errors.Is(err, io.EOF) {
			return errors.Join(faults...)
		}
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			faults = append(faults, fmt.Errorf("%s line %d: %w", what, bad.Line, bad.Err))
			if !errors.Is(err, csv.ErrFieldCount) {
				return errors.Join(faults...) // past a broken quotation nothing can be trusted
			}
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if err := each(f); err != nil {
			line, _ := in.FieldPos(0)
			faults = append(faults, fmt.Errorf("%s line %d: %w", what, line, err))
		}
	}
}

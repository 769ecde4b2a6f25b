package domain

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxQuantity is the most pieces of an article that one line may ask for; more is taken for a slip of the keyboard.
const maxQuantity = 999_999

// Why a number in a cell is not taken.
var (
	errNoNumber   = errors.New("is not a plain number")
	errFraction   = errors.New("is not a whole number")
	errAmbiguous  = errors.New("may be read in two ways")
	errOutOfRange = errors.New("is out of range")
)

// parseQuantity reads a count of pieces: "10", "10,0", "1.200,00". What may mean two things ("1.200") is refused.
func parseQuantity(s string) (int, error) {
	whole, fraction, err := splitNumber(s)
	if err != nil {
		return 0, fmt.Errorf("%s %w", quote(s), err)
	}
	if strings.Trim(fraction, "0") != "" {
		return 0, fmt.Errorf("%s %w", quote(s), errFraction)
	}
	n, err := strconv.Atoi(whole)
	if err != nil || n < 1 || n > maxQuantity {
		return 0, fmt.Errorf("%s %w (1 to %d)", quote(s), errOutOfRange, maxQuantity)
	}
	return n, nil
}

// parsePrice reads an amount of money: "3.20", "3,20", "1.234,5", "3,20 €", "EUR 3". More than two decimals are refused.
func parsePrice(s string) (Cents, error) {
	bare := strings.TrimSpace(strings.NewReplacer("€", "", "EUR", "", "$", "", "USD", "").Replace(s))
	whole, fraction, err := splitNumber(bare)
	if err != nil {
		return 0, fmt.Errorf("%s %w", quote(s), err)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 2 {
		return 0, fmt.Errorf("%s has more than two decimals", quote(s))
	}
	n, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if err != nil || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s %w", quote(s), errOutOfRange)
	}
	return Cents(n), nil
}

// splitNumber splits a number without sign into its whole part and its decimals, whichever of "." and "," it uses for them.
func splitNumber(s string) (whole, fraction string, err error) {
	s = strings.TrimSpace(s)
	mark := strings.LastIndexAny(s, ".,")
	if mark < 0 {
		return digits(s, "")
	}
	decimal, other := s[mark:mark+1], "."
	if decimal == "." {
		other = ","
	}
	switch {
	case strings.Contains(s[:mark], decimal): // 1.234.567: it groups, so there are no decimals
		return ungroup(s, decimal)
	case strings.Contains(s[:mark], other): // 1.234,50
		whole, _, err = ungroup(s[:mark], other)
		if err != nil {
			return "", "", err
		}
		return digits(whole, s[mark+1:])
	case len(s)-mark == 4 && mark <= 3 && s[0] != '0': // 1.234 or 1,234
		return "", "", errAmbiguous
	default:
		return digits(s[:mark], s[mark+1:])
	}
}

// ungroup takes the marks out of "1.234.567": groups of three digits, but one to three in the first.
func ungroup(s, mark string) (whole, fraction string, err error) {
	groups := strings.Split(s, mark)
	for i, g := range groups {
		if len(g) != 3 && (i > 0 || len(g) == 0 || len(g) > 3) {
			return "", "", errNoNumber
		}
	}
	return digits(strings.Join(groups, ""), "")
}

func digits(whole, fraction string) (string, string, error) {
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	if whole == "" || len(whole) > 18 || strings.ContainsFunc(whole+fraction, notDigit) {
		return "", "", errNoNumber
	}
	return whole, fraction, nil
}

// quote makes a cell fit to stand in a reason: quoted, without control characters, cut to 40 characters.
func quote(s string) string { return strconv.Quote(cut(s, 40)) }

// cut shortens s to n characters, the last of them "…" when something is missing.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

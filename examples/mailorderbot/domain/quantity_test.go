package domain

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantities(t *testing.T) {
	for text, want := range map[string]int{
		"1": 1, " 12 ": 12, "10,0": 10, "10.00": 10, "10,": 10, "1.200,00": 1200, "1,200.0": 1200, "1.234.567,0": 0,
		"007": 7, "0.500": 0, "999999": 999_999, "12\u00a0": 12,
	} {
		n, err := parseQuantity(text)
		if (err == nil) != (want > 0) || err == nil && n != want {
			t.Errorf("%q: %d, %v; want %d", text, n, err, want)
		}
	}
}

func TestQuantitiesRefused(t *testing.T) {
	for text, want := range map[string]error{
		"": errNoNumber, "a dozen": errNoNumber, "-6": errNoNumber, "+6": errNoNumber, "6 pcs": errNoNumber, "1e3": errNoNumber,
		"=2*3": errNoNumber, "1 000": errNoNumber, ",5": errNoNumber, "1.2.3": errNoNumber, "12.34.567": errNoNumber,
		"1.200": errAmbiguous, "1,200": errAmbiguous, "999.999": errAmbiguous,
		"1.5": errFraction, "1,25": errFraction, "0.001": errFraction,
		"0": errOutOfRange, "0,0": errOutOfRange, "1000000": errOutOfRange, "1.000.000": errOutOfRange,
		strings.Repeat("9", 500): errNoNumber, "٣": errNoNumber,
	} {
		if n, err := parseQuantity(text); !errors.Is(err, want) {
			t.Errorf("%q: %d, %v; want %v", text, n, err, want)
		}
	}
}

// TestQuantityRoundTrip writes numbers in every way that has one meaning.
func TestQuantityRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, maxQuantity).Draw(t, "n")
		decimal := rapid.SampledFrom([]string{".", ","}).Draw(t, "decimal")
		zeros := rapid.IntRange(1, 2).Draw(t, "zeros")
		text := strconv.Itoa(n)
		if n >= 1000 && rapid.Bool().Draw(t, "grouped") {
			group := map[string]string{".": ",", ",": "."}[decimal]
			text = fmt.Sprintf("%d%s%03d", n/1000, group, n%1000)
		}
		text += decimal + strings.Repeat("0", zeros)
		if got, err := parseQuantity(text); err != nil || got != n {
			t.Fatalf("%q: %d, %v", text, got, err)
		}
	})
}

func TestPrices(t *testing.T) {
	for text, want := range map[string]Cents{
		"3": 300, "3.2": 320, "3,20": 320, "3,20 €": 320, "€ 3.20": 320, "EUR 1.234,5": 123_450, "0,12": 12, "2.400": -1,
		"1.2345": -1, "1,5000": 150, "free": -1, "": -1, "-3": -1, "99999999999": -1, "0.125": -1,
	} {
		got, err := parsePrice(text)
		if (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	if got := Cents(-5).String() + Cents(123_450).String(); got != "-0.051234.50" {
		t.Errorf("written %s", got)
	}
}

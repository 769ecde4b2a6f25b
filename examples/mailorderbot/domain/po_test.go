package domain

import (
	"strings"
	"testing"
)

func TestPOInSubject(t *testing.T) {
	for subject, want := range map[string]string{
		"PO 4711":                          "4711",
		"PO-2025-17 for Friday":            "PO-2025-17",
		"our po#77, urgent":                "77",
		"P.O. 12/3":                        "12/3",
		"Re: AW: Purchase Order BW-10482":  "BW-10482",
		"purchase order 17":                "17",
		"Purchase order no. 17":            "17",
		"Order no. A7":                     "A7",
		"Order number: 88":                 "88",
		"Order 4711":                       "4711",
		"Order KS-0312 with sums":          "KS-0312",
		"Bestellung Nr. 5":                 "5",
		"Bestellung 20250031":              "20250031",
		"Bestell-Nr.: X/9":                 "X/9",
		"Bestellnummer 12":                 "12",
		"Auftrag ZP-558":                   "ZP-558",
		"Заказ № СП-114":                   "СП-114",
		"Номер заказа 2025-114":            "2025-114",
		"Заказ 2025-114":                   "2025-114",
		"PO 4711 (po 4711)":                "4711",
		"PO 4711 and PO 4712":              "",
		"Order 100 boxes":                  "",
		"Order for 5000 people":            "",
		"Bestellung vom 7.3.2025":          "",
		"Bestellung 07.03.2025":            "",
		"Bestellung 2025-03-07":            "",
		"Order A4 paper":                   "",
		"PO":                               "",
		"PO box address":                   "",
		"Order no.":                        "",
		"ordering 4711":                    "",
		"":                                 "",
		"PO " + strings.Repeat("9", 41):    "",
		strings.Repeat("order no. ", 2000): "",
	} {
		if got := poInSubject(subject); got != want {
			t.Errorf("%.60q: %q, want %q", subject, got, want)
		}
	}
}

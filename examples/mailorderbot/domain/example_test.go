package domain_test

import (
	"fmt"
	"strings"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// A mail goes through three steps and becomes a decision.
func Example() {
	catalogue, err := domain.ReadCatalogue(strings.NewReader("article,name,pack,price\nA-100,Espresso cup,6,2.40\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	customers, err := domain.ReadCustomers(strings.NewReader("number,name,address\n1001,Café Morgenrot,@morgenrot.example\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	desk := domain.NewDesk(catalogue, customers, domain.Policy{
		OwnAddress: "orders@nordwind.example",
		AuthservID: "mx.nordwind.example",
	})

	mail := strings.Join([]string{
		"Authentication-Results: mx.nordwind.example; dmarc=pass header.from=morgenrot.example",
		"From: Jana <einkauf@morgenrot.example>",
		"Subject: PO 4711",
		"Content-Type: text/csv; name=order.csv",
		"",
		"Art.-Nr.;Menge",
		"A-100;12",
		"",
	}, "\r\n")

	var sheets []domain.Sheet
	for _, part := range desk.Parse(domain.Raw{Bytes: []byte(mail)}) {
		sheets = append(sheets, desk.Decode(part))
	}
	decision := desk.Decide(sheets)
	fmt.Println(decision.Folder, decision.Answer)
	for _, order := range decision.Orders {
		fmt.Println("customer", order.Customer, "orders", order, "for", order.Total())
	}
	// Output:
	// Processed confirm
	// customer 1001 orders 4711: A-100×12 for 28.80
}

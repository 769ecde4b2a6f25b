package domain

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Customer is somebody who may order.
type Customer struct {
	Number string
	Name   string
}

// Customers is the list of senders who may order. The zero value knows none. It is safe for concurrent use.
type Customers struct{ byAddress map[string]Customer }

// Len is the number of addresses and domains listed.
func (c Customers) Len() int { return len(c.byAddress) }

// Find looks a sender up: by the whole address first, then by its domain (exactly: a subdomain is another domain).
func (c Customers) Find(address string) (Customer, bool) {
	address = strings.ToLower(address)
	if found, ok := c.byAddress[address]; ok {
		return found, true
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return Customer{}, false
	}
	found, ok := c.byAddress[address[at:]]
	return found, ok
}

// ReadCustomers reads a CSV file with the columns number, name and address, where address is either a mail address or
// "@" and a domain. A customer with several addresses has several lines. Its errors name the line, all at once.
func ReadCustomers(r io.Reader) (Customers, error) {
	c := Customers{byAddress: map[string]Customer{}}
	err := readRecords(r, "customers", []string{"number", "name", "address"}, func(f []string) error {
		address := strings.ToLower(f[2])
		switch _, twice := c.byAddress[address]; {
		case f[0] == "":
			return errors.New("the customer number is empty")
		case strings.Count(address, "@") != 1 || strings.HasSuffix(address, "@") || strings.ContainsAny(address, " \t"):
			return fmt.Errorf("%q is neither an address nor @domain", f[2])
		case twice:
			return fmt.Errorf("address %q is there twice", f[2])
		}
		c.byAddress[address] = Customer{Number: f[0], Name: f[1]}
		return nil
	})
	return c, err
}

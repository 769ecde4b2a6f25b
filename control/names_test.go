package control_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/plba/plba/control"
)

// A name that differs in case from one of the document is refused: else "AMOUNT" could be used where "amount" was validated.
func TestNamesAreExact(t *testing.T) {
	p := startWithOperations(t, withTokens(), shopOperations)
	admin := bearer(strings.ToUpper(adminToken))
	for _, body := range []string{`{"amount":1,"AMOUNT":-5}`, `{"AMOUNT":-5,"amount":1}`, `{"AMOUNT":1}`, `{"amount":1,"amounT":null}`} {
		got := problem(t, p.do(http.MethodPost, "/app/book", body, admin), 422)
		if len(got.Errors) != 1 || !strings.EqualFold(got.Errors[0].Location, "body.amount") || got.Errors[0].Location == "body.amount" {
			t.Errorf("%s: %+v", body, got)
		}
	}
	if got := read[Count](t, p.do(http.MethodPost, "/app/book", `{"amount":3}`, admin), 200); got.Orders != 3 {
		t.Errorf("%+v", got)
	}
	problem(t, p.do(http.MethodPost, "/app/book", `{"amount":-5}`, admin), 422)
	for _, body := range []string{`{"REASON":"x"}`, `{"reason":"x","Reason":"y"}`, `{"rea\u017fon":"x"}`} { // a long s is an s in another case
		problem(t, p.do(http.MethodPost, mailWorker+"/pause", body, admin), 422)
	}
	read[control.Operation](t, p.do(http.MethodPost, mailWorker+"/pause", `{"reason":"x"}`, admin), 200)
}

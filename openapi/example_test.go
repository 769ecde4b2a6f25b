package openapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/plba/plba/openapi"
)

func ExampleDocs() {
	mux := http.NewServeMux()
	mux.Handle("GET /docs/", openapi.Docs("My application", "/openapi.json"))

	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/docs/", nil))
	fmt.Println(rec.Code, rec.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}

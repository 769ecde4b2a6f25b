package encodable

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"sync"
	"testing"
	"time"
	"unsafe"
)

type (
	plainMail struct {
		Account string
		UID     uint32
		At      time.Time
		Raw     json.RawMessage
		Tags    map[string][]string
		ByID    map[int]*plainMail
		ByAddr  map[netip.Addr]bool
		Total   *big.Int
		Extra   any
		Data    []byte
		Fixed   [4]float64
		hidden  int
	}
	tree struct {
		Left, Right *tree
		Children    []tree
	}
	ping  struct{ Pong *pong }
	pong  struct{ Ping []ping }
	skips struct {
		Name string
		Done chan int `json:"-"`
		fn   func()
	}
	base     struct{ ID string }
	embeds   struct{ base }
	embedPtr struct {
		*base
		Name string
	}
	Exported struct{ ID string }
	embedsOK struct{ *Exported }
	empty    struct{}
	hides    struct{ a, b int }
	locked   struct {
		Name string
		Mu   sync.Mutex
	}
	onlyOut  struct{ A int }
	onlyIn   struct{ A int }
	onlyText struct{ A int }
	textKey  struct{ A int }
	badKey   struct{ A int }
)

func (onlyOut) MarshalJSON() ([]byte, error)     { return nil, nil }
func (*onlyIn) UnmarshalJSON([]byte) error       { return nil }
func (onlyText) MarshalText() ([]byte, error)    { return nil, nil }
func (textKey) MarshalText() ([]byte, error)     { return nil, nil }
func (*textKey) UnmarshalText(text []byte) error { return nil }

func TestCheck(t *testing.T) {
	_ = plainMail{hidden: 1}
	_ = skips{fn: nil}
	for _, c := range []struct {
		typ  reflect.Type
		want string // all faults, separated by line breaks
	}{
		{reflect.TypeFor[string](), ""},
		{reflect.TypeFor[*int](), ""},
		{reflect.TypeFor[any](), ""},
		{reflect.TypeFor[[]byte](), ""},
		{reflect.TypeFor[plainMail](), ""},
		{reflect.TypeFor[tree](), ""},
		{reflect.TypeFor[ping](), ""},
		{reflect.TypeFor[skips](), ""},
		{reflect.TypeFor[embeds](), ""},
		{reflect.TypeFor[embedsOK](), ""},
		{reflect.TypeFor[empty](), ""},
		{reflect.TypeFor[map[textKey]int](), ""},
		{reflect.TypeFor[url.URL](), "URL.User: url.Userinfo has no exported field: it would arrive empty"},
		{reflect.TypeFor[chan int](), "chan int: chan int cannot be encoded as JSON"},
		{reflect.TypeFor[func()](), "func(): func() cannot be encoded as JSON"},
		{reflect.TypeFor[complex64](), "complex64: complex64 cannot be encoded as JSON"},
		{reflect.TypeFor[unsafe.Pointer](), "Pointer: unsafe.Pointer cannot be encoded as JSON"},
		{reflect.TypeFor[struct{ Done chan int }](), "struct { Done chan int }.Done: chan int cannot be encoded as JSON"},
		{reflect.TypeFor[struct{ A []map[string][2]func() }](), "struct { A []map[string][2]func() }.A[][][]: func() cannot be encoded as JSON"},
		{reflect.TypeFor[error](), "error: error cannot be decoded from JSON: it is an interface with methods"},
		{reflect.TypeFor[locked](), "locked.Mu: sync.Mutex has no exported field: it would arrive empty"},
		{reflect.TypeFor[hides](), "hides: encodable.hides has no exported field: it would arrive empty"},
		{reflect.TypeFor[embedPtr](), "embedPtr.base: *encodable.base cannot be decoded from JSON: it is an embedded pointer to an unexported struct"},
		{reflect.TypeFor[map[badKey]int](), "map[encodable.badKey]int: encodable.badKey cannot be the key of a JSON object"},
		{reflect.TypeFor[map[any]int](), "map[interface {}]int: interface {} cannot be the key of a JSON object"},
		{reflect.TypeFor[onlyOut](), "onlyOut: encodable.onlyOut has MarshalJSON but no UnmarshalJSON: it would not come back"},
		{reflect.TypeFor[onlyIn](), "onlyIn: encodable.onlyIn has UnmarshalJSON but no MarshalJSON: it would not come back"},
		{reflect.TypeFor[[]onlyText](), "[]encodable.onlyText[]: encodable.onlyText has MarshalText but no UnmarshalText: it would not come back"},
		{reflect.TypeFor[struct {
			A chan int
			B complex128
		}](), "struct { A chan int; B complex128 }.A: chan int cannot be encoded as JSON\n" +
			"struct { A chan int; B complex128 }.B: complex128 cannot be encoded as JSON"},
	} {
		t.Run(c.typ.String(), func(t *testing.T) {
			got := ""
			if err := Check(c.typ); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("faults:\n%s\nexpected:\n%s", got, c.want)
			}
		})
	}
}

// What the walk lets through must really come back, and what it refuses must not.
func TestCheckAgreesWithEncodingJSON(t *testing.T) {
	roundTrip := func(v, into any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, into); err != nil {
			return err
		}
		if got := reflect.ValueOf(into).Elem().Interface(); !reflect.DeepEqual(v, got) {
			return errors.New("it came back different")
		}
		return nil
	}
	full := plainMail{Account: "a", At: time.Unix(1, 0).UTC(), Tags: map[string][]string{"a": {"b"}}, ByID: map[int]*plainMail{1: {Raw: json.RawMessage("null")}},
		ByAddr: map[netip.Addr]bool{netip.MustParseAddr("::1"): true}, Total: big.NewInt(7), Extra: "x", Data: []byte{1}, Raw: json.RawMessage("{}")}
	for name, err := range map[string]error{
		"plainMail": roundTrip(full, new(plainMail)),
		"tree":      roundTrip(tree{Left: &tree{}, Children: []tree{{}}}, new(tree)),
		"embeds":    roundTrip(embeds{base{"x"}}, new(embeds)),
		"embedsOK":  roundTrip(embedsOK{&Exported{"x"}}, new(embedsOK)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"url":      roundTrip(url.URL{User: url.User("me")}, new(url.URL)),
		"hides":    roundTrip(hides{1, 2}, new(hides)),
		"embedPtr": roundTrip(embedPtr{&base{"x"}, "y"}, new(embedPtr)),
		"error":    roundTrip(struct{ E error }{errors.New("x")}, new(struct{ E error })),
	} {
		if err == nil {
			t.Errorf("%s comes back after all", name)
		}
	}
}

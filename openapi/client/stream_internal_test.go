package client

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// FuzzServerSent reads whatever a stream may hold. It ends with it, and what is told of an event is what stood in its data.
func FuzzServerSent(f *testing.F) {
	for _, text := range []string{
		"retry: 2000\n\n", ":\n\n", "id: a-1\nevent: worker\ndata: {\"id\":\"a-1\",\"type\":\"worker\",\"at\":\"2025-03-14T09:26:53Z\"}\n\n",
		"data: {\"id\":\ndata: \"two lines\"}\r\n\r\n", "data:{}\n\ndata: [\n\n", "data", "data: {\"id\":7}\n\n", "\n\n\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newServerSent(io.NopCloser(bytes.NewReader(text)))
		for range len(text) + 1 {
			e, err := s.next()
			if err != nil {
				return
			}
			if id, _ := json.Marshal(e.ID); e.ID != "" && !bytes.Contains(text, []byte("data")) {
				t.Fatalf("an event %s without data", id)
			}
		}
		t.Fatalf("%q does not end", text)
	})
}

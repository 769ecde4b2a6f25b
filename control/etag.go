package control

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

// withETag gives successful answers an entity tag, and leaves the body out for a client that has the same already: what is asked for again and again costs
// the network nothing while nothing changes.
func withETag(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k := keptPool.Get().(*kept)
		defer k.putBack()
		k.ResponseWriter = w
		next(k, r)
		if k.status == http.StatusOK {
			sum := sha256.Sum256(k.body.Bytes())
			tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
			w.Header().Set("ETag", tag)
			if matches(r.Header.Values("If-None-Match"), tag) {
				w.Header().Del("Content-Type")
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		w.WriteHeader(k.status)
		_, _ = w.Write(k.body.Bytes()) // a client that went away is nobody's fault
	}
}

// matches compares weakly, as If-None-Match asks for.
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for candidate := range strings.SplitSeq(header, ",") {
			if candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/"); candidate == tag || candidate == "*" {
				return true
			}
		}
	}
	return false
}

// kept is an answer that is held back until it is whole.
type kept struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

var keptPool = sync.Pool{New: func() any { return &kept{status: http.StatusOK} }}

func (k *kept) putBack() {
	if k.body.Cap() > 1<<20 {
		return // one large answer must not hold its memory for ever
	}
	k.ResponseWriter, k.status = nil, http.StatusOK
	k.body.Reset()
	keptPool.Put(k)
}

func (k *kept) WriteHeader(status int)      { k.status = status }
func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }

// Unwrap is for http.ResponseController.
func (k *kept) Unwrap() http.ResponseWriter { return k.ResponseWriter }

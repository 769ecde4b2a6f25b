package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// body is the part of a task that never changes and may be large: moving a task from state to state does not touch it.
type body struct {
	metadata map[string]string
	payload  []byte
}

const (
	bodyColumns = "n, metadata, payload, sum"
	insertBody  = "INSERT INTO bodies (" + bodyColumns + ") VALUES (?,?,?,?)"
	selectBody  = "SELECT " + bodyColumns + " FROM bodies WHERE n = ?"
)

func (b *body) values(n int64) ([]driver.Value, error) {
	v := make([]driver.Value, 0, 4)
	v = append(v, n, nil, b.payload)
	if b.payload == nil {
		v[2] = []byte{}
	}
	if len(b.metadata) > 0 {
		text, err := json.Marshal(b.metadata)
		if err != nil {
			return nil, err
		}
		v[1] = string(text)
	}
	return append(v, sumOf(v...)), nil
}

// readBody reads what values wrote, and checks it.
func readBody(c columns) (b body, err error) {
	what := func() string { return fmt.Sprintf("the body of task number %d", c.int(0)) }
	if err := checkSum(c, 3, what); err != nil {
		return body{}, err
	}
	if text := c.text(1); text != "" {
		if err := json.Unmarshal([]byte(text), &b.metadata); err != nil {
			return body{}, fmt.Errorf("%w: the metadata of %s: %w", ErrDamaged, what(), err)
		}
	}
	if b.payload = c.bytes(2); b.payload == nil {
		b.payload = []byte{}
	}
	return b, nil
}

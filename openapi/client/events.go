package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"
)

// Watch chooses events and says how to listen to them. Its zero value listens to all, from now on.
type Watch struct {
	Types []EventType // none for all
	Name  string      // only events about this worker, component or target; "" for all
	After string      // go on after the event with this ID; "" from now on

	// Broken is told when the stream has broken and will be resumed, and why. It may be nil.
	Broken func(err error)
}

// The times of a stream of events.
const (
	silence    = 45 * time.Second // the application shows a sign of life every 15 s
	firstPause = 250 * time.Millisecond
	longPause  = 5 * time.Second
)

var errSilent = errors.New("the stream has fallen silent")

// stream is one connection over which events come. An event without an ID is a sign of life.
type stream interface {
	next() (Event, error)
	close()
}

// Watch listens to events until ctx ends, or the loop over it does. A stream that breaks is resumed where it was, as often and as long as it takes; when the application
// does not know any more what has happened since, an event of the type EventTypeMissed comes first. The error, with which it ends, is a refusal, ctx's, or
// what kept the first connection from being made.
func (c *Client) Watch(ctx context.Context, w Watch) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		pause, listened := firstPause, false
		for {
			told, again, err := c.listen(ctx, &w, func(e Event) bool { return yield(e, nil) })
			listened = listened || told
			switch {
			case err == nil: // the loop has ended
				return
			case ctx.Err() != nil:
				yield(Event{}, context.Cause(ctx))
				return
			case !again || !listened:
				yield(Event{}, fmt.Errorf("watchEvents: %w", err))
				return
			}
			if told {
				pause = firstPause
			}
			if w.Broken != nil {
				w.Broken(err)
			}
			if err := sleep(ctx, pause); err != nil {
				yield(Event{}, err)
				return
			}
			pause = min(2*pause, longPause)
		}
	}
}

// listen is one connection, until it breaks, which again says that resuming makes sense after, or until nobody wants more. told says that there was a stream.
func (c *Client) listen(ctx context.Context, w *Watch, take func(Event) bool) (told, again bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer quiet.Stop()

	r := newRequest("watchEvents", http.MethodGet, "/api/v1/events")
	queryList(r, "type", w.Types)
	queryText(r, "name", w.Name)
	queryText(r, "after", w.After)
	s, err := c.way.listen(ctx, r)
	if err != nil {
		return false, passing(err), err
	}
	defer s.close()
	for {
		e, err := s.next()
		switch {
		case err != nil && errors.Is(context.Cause(ctx), errSilent):
			return told, true, errSilent
		case err != nil:
			return told, passing(err), err
		}
		told = true
		quiet.Reset(silence)
		if e.ID == "" {
			continue
		}
		w.After = e.ID
		if !take(e) {
			return told, false, nil
		}
	}
}

// passing tells what may be over when it is tried again: everything but a refusal of this very request.
func passing(err error) bool {
	refused := (*Error)(nil)
	return !errors.As(err, &refused) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrFailed) || errors.Is(err, ErrTooMany)
}

// serverSent reads a stream of server-sent events.
type serverSent struct {
	body io.ReadCloser
	text *bufio.Reader
}

func newServerSent(body io.ReadCloser) *serverSent { return &serverSent{body, bufio.NewReader(body)} }

func (s *serverSent) close() { _ = s.body.Close() }

// next reads lines up to an empty one. Of those before it only data matters: it has ID and type too.
func (s *serverSent) next() (e Event, err error) {
	var data []byte
	for {
		line, err := s.text.ReadBytes('\n')
		if err != nil {
			return e, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch text, isData := bytes.CutPrefix(line, []byte("data:")); {
		case isData:
			data = append(append(data, bytes.TrimPrefix(text, []byte(" "))...), '\n')
		case len(line) > 0:
		case data == nil:
			return e, nil
		default:
			if err := json.Unmarshal(data, &e); err != nil {
				return e, fmt.Errorf("an event cannot be read: %w", err)
			}
			return e, nil
		}
	}
}

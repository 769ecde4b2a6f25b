package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// The times of a stream of events.
const (
	heartbeatEvery = 15 * time.Second // a line that says nothing, so that proxies and clients know that the stream lives
	sendTimeout    = 10 * time.Second // a client that takes nothing for so long is cut off
)

// EventList is what GET /api/v1/events/recent answers.
type EventList struct {
	Events []Event `json:"events"`
	Last   string  `json:"last,omitempty"`
	Missed bool    `json:"missed,omitempty"`
}

type eventsInput struct {
	Type  []EventType `query:"type" maxItems:"8" nullable:"false" doc:"Only events of these types, separated by commas: all but missed, which comes whenever something is missed."`
	Name  string      `query:"name" maxLength:"100" example:"email-processing" doc:"Only events about this worker, component or target."`
	After string      `query:"after" maxLength:"100" doc:"Only events after the one with this ID."`
}

func (in *eventsInput) filter() EventFilter { return EventFilter{Types: in.Type, Name: in.Name} }

type recentEventsInput struct {
	Type  []EventType `query:"type" maxItems:"8" nullable:"false" doc:"Only events of these types, separated by commas: all but missed, which comes whenever something is missed."`
	Name  string      `query:"name" maxLength:"100" example:"email-processing" doc:"Only events about this worker, component or target."`
	After string      `query:"after" maxLength:"100" doc:"Only events after the one with this ID: the last of the answer before."`
	Limit int         `query:"limit" minimum:"1" default:"100" doc:"How many at most. More than 1000 counts as 1000."`
}

func eventEndpoints() []entry {
	return []entry{watchEndpoint(), read(endpoint{
		id: "listEvents", method: http.MethodGet, path: "/api/v1/events/recent", access: accessPrivate, tag: tagEvents, summary: "List recent events",
		detail: "Of the last 2048 events those after a given one, the oldest first, for clients that would rather ask again than listen.",
		answer: "The events.", example: EventList{Events: exampleEvents(), Last: exampleEvents()[1].ID},
	}, func(_ context.Context, s *Service, in *recentEventsInput) (EventList, error) {
		list, last, missed, err := s.Events(EventFilter{Types: in.Type, Name: in.Name}, in.After, in.Limit)
		return EventList{list, last, missed}, err
	})}
}

const streamType = "text/event-stream"

// watchEndpoint is over HTTP a stream of server-sent events; other channels have a Subscription.
func watchEndpoint() entry {
	e := endpoint{
		id: "watchEvents", method: http.MethodGet, path: "/api/v1/events", access: accessPrivate, streams: true, tag: tagEvents, summary: "Listen to events",
		detail: "A stream of server-sent events: each has the type of an Event of `GET /api/v1/events/recent` as its event and the Event as its data. After a break a client goes on with " +
			"`Last-Event-ID`, or `after`; when not all events since then are kept, the first is of the type `missed`. A client that takes too little for too long is cut off. " +
			"Failed attempts are told up to 100 a second; `skipped` counts the others. A comment every 15 s says that the stream lives.",
		answer: "The events, until the client or the application ends the stream.",
	}
	return entry{
		endpoint: e,
		watch: func(s *Service, input json.RawMessage) (*Subscription, error) {
			in, err := decodeInput[eventsInput](input)
			if err != nil {
				return nil, err
			}
			return s.Subscribe(in.filter(), in.After)
		},
		bind: func(a *api) { a.bindWatch(e) },
	}
}

type watchInput struct {
	Type  []EventType `query:"type" maxItems:"8" nullable:"false" doc:"Only events of these types, separated by commas: all but missed, which comes whenever something is missed."`
	Name  string      `query:"name" maxLength:"100" example:"email-processing" doc:"Only events about this worker, component or target."`
	After string      `query:"after" maxLength:"100" doc:"Only events after the one with this ID."`
	Last  string      `header:"Last-Event-ID" maxLength:"100" doc:"The same, as browsers say it; it goes before after."`
}

func (a *api) bindWatch(e endpoint) {
	doc := e.document()
	text := &huma.Schema{Type: huma.TypeString, Description: "Server-sent events."}
	doc.Responses["200"].Content = map[string]*huma.MediaType{streamType: {Schema: text, Example: exampleStream()}}
	registerAs(a, e, doc, func(_ context.Context, in *watchInput) (*huma.StreamResponse, error) {
		after := in.After
		if in.Last != "" {
			after = in.Last
		}
		sub, err := a.svc.Subscribe(EventFilter{Types: in.Type, Name: in.Name}, after)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			defer sub.Close()
			a.stream(ctx, sub)
		}}, nil
	})
}

// stream sends events until somebody ends it.
func (a *api) stream(ctx huma.Context, sub *Subscription) {
	ctx.SetHeader("Content-Type", streamType)
	ctx.SetHeader("X-Accel-Buffering", "no") // nginx would hold events back
	ctx.SetStatus(http.StatusOK)
	w, ok := ctx.BodyWriter().(http.ResponseWriter)
	if !ok {
		return // humago's always is
	}
	if ctx.Method() == http.MethodHead {
		return
	}
	out := sender{w, http.NewResponseController(w)}
	err := out.send([]byte("retry: 2000\n\n"))
	for err == nil {
		var batch []*told
		wait, cancel := context.WithTimeoutCause(ctx.Context(), heartbeatEvery, errQuiet)
		batch, err = sub.next(wait)
		cancel()
		if errors.Is(err, errQuiet) {
			err = out.send([]byte(":\n\n"))
			continue
		}
		if err == nil {
			err = out.send(serverSent(batch))
		}
	}
	if errors.Is(err, ErrSlow) {
		a.log.Warn("a reader of events is cut off: it is too slow", "by", asker(ctx.Context()).Name)
	}
}

var errQuiet = errors.New("nothing has happened")

// serverSent spells events as a browser reads them.
func serverSent(batch []*told) (text []byte) {
	for _, t := range batch {
		text = fmt.Appendf(text, "id: %s\nevent: %s\ndata: %s\n\n", t.ID, t.Type, t.json())
	}
	return text
}

// sender writes through to the client, or fails in time.
type sender struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (s sender) send(text []byte) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.rc.Flush()
}

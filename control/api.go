package control

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// api is the huma API over a gate. Without a gate it only documents itself.
type api struct {
	huma.API
	svc    *Service
	log    *slog.Logger
	prefix string                  // under which the operations are, without a final slash
	spell  func() (spelled, error) // the document, made when it is first asked for
}

// router is the huma.Adapter that registers operations at the gate, together with what they demand.
type router struct {
	gate    *gate
	schemas huma.Registry
}

// What huma.Operation.Metadata holds.
const (
	accessKey = "plba-access" // an Access
	polledKey = "plba-polled" // whether there is an ETag

	streamsKey = "plba-streams" // whether the answer goes on

	slowKey     = "plba-slow"     // whether the answer takes longer than others may
	browsersKey = "plba-browsers" // whether browsers are asked for a token
)

// Handle refuses an operation that does not say what it demands by giving it the zero Access, which admits nobody.
func (r router) Handle(op *huma.Operation, handler func(huma.Context)) {
	if r.gate == nil {
		return
	}
	need, _ := op.Metadata[accessKey].(Access)
	next := exactNames(r.schemas, op, humaHandler(op, handler))
	if polled, _ := op.Metadata[polledKey].(bool); polled {
		next = withETag(next)
	}
	if streams, _ := op.Metadata[streamsKey].(bool); streams {
		next = r.gate.stream(next)
	}
	if slow, _ := op.Metadata[slowKey].(bool); slow {
		next = r.gate.slow(next)
	}
	browsers, _ := op.Metadata[browsersKey].(bool)
	r.gate.handle(rule{id: op.OperationID, method: op.Method, path: op.Path, need: need, body: bodyRule{limit: maxBody}, forBrowsers: browsers}, next)
}

func humaHandler(op *huma.Operation, handler func(huma.Context)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { handler(humago.NewContext(op, req, w)) }
}

func (r router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.gate.ServeHTTP(w, req) }

// newAPI registers operations, those of the application too if it has any.
func newAPI(g *gate, svc *Service, log *slog.Logger, entries []entry, app *application) *api {
	prefix := ""
	if g != nil {
		prefix = g.prefix
	}
	cfg := huma.Config{
		OpenAPI:       newDocument(prefix),
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{sanitise},
	}
	a := &api{API: huma.NewAPI(cfg, router{g, cfg.Components.Schemas}), svc: svc, log: log, prefix: prefix}
	for _, e := range entries {
		e.bind(a)
	}
	settleSchemas(a.OpenAPI().Components.Schemas)
	if app != nil {
		app.addTo(a.OpenAPI())
		app.mount(g)
	}
	a.spell = sync.OnceValues(func() (spelled, error) { return spell(a.OpenAPI()) })
	return a
}

// register adds an operation to the gate and to the document. What h refuses with becomes a problem.
func register[I, O any](a *api, e endpoint, h func(context.Context, *I) (*O, error)) {
	doc := e.document()
	registerAs(a, e, doc, h)
	e.illustrate(doc)
}

// registerAs is register for an operation whose document says more than its types.
func registerAs[I, O any](a *api, e endpoint, doc huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(a.API, doc, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problemOf(err, e, a.log)
		}
		return out, nil
	})
}

// schema refers to the schema of a type.
func (a *api) schema(t reflect.Type) *huma.Schema {
	return a.OpenAPI().Components.Schemas.Schema(t, true, "")
}

// said is the output of an operation that answers with a JSON body.
type said[T any] struct{ Body T }

// answered is the output of an operation that has its body ready.
type answered struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

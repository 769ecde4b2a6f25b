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
type router struct{ gate *gate }

// accessKey is where huma.Operation.Metadata holds an Access.
const accessKey = "plba-access"

// Handle refuses an operation that does not say what it demands by giving it the zero Access, which admits nobody.
func (r router) Handle(op *huma.Operation, handler func(huma.Context)) {
	if r.gate == nil {
		return
	}
	need, _ := op.Metadata[accessKey].(Access)
	r.gate.handle(op.Method, op.Path, need, humaHandler(op, handler))
}

func humaHandler(op *huma.Operation, handler func(huma.Context)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { handler(humago.NewContext(op, req, w)) }
}

func (r router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.gate.ServeHTTP(w, req) }

// newAPI registers all operations, those of the application too if it has any.
func newAPI(g *gate, svc *Service, log *slog.Logger, publicHealth bool, app *application) *api {
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
	a := &api{API: huma.NewAPI(cfg, router{g}), svc: svc, log: log, prefix: prefix}
	a.registerProbes()
	a.registerHealth(publicHealth)
	a.registerRuntime()
	a.registerParts()
	a.registerTraces()
	a.registerDocument()
	settleSchemas(a.OpenAPI().Components.Schemas)
	if app != nil {
		app.addTo(a.OpenAPI())
		app.mount(g)
	}
	a.spell = sync.OnceValues(func() (spelled, error) { return spell(a.OpenAPI()) })
	return a
}

// operation is what is declared of an operation beside its types.
type operation struct {
	id, method, path     string
	access               Access
	tag, summary, detail string
	status               int    // of success; 0 is 200
	answer               string // what a success says
	example              any    // of the success' body
	problems             []int  // beside those that every operation can have
	lax                  bool   // takes unknown query parameters, as load balancers add them
}

// input is where the operation takes what is not in the path.
func (op operation) input() string {
	if op.method == http.MethodGet {
		return "query"
	}
	return "body"
}

// register adds an operation to the gate and to the document. What h refuses with becomes a problem.
func register[I, O any](a *api, op operation, h func(context.Context, *I) (*O, error)) {
	doc := op.document()
	registerAs(a, op, doc, h)
	op.illustrate(doc)
}

// registerAs is register for an operation whose document says more than its types.
func registerAs[I, O any](a *api, op operation, doc huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(a.API, doc, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problemOf(err, op, a.log)
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

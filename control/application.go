package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/runtime"
)

const (
	applicationRoot    = "/app/" // where the operations of the application are
	maxApplicationText = 1000    // characters of a text of theirs
)

// Operations mounts the application's own operations under /app/ of the control plane: with its authentication, its protections and in its document, on
// its listener as well as under a prefix.
//
//	control.Operations(r, func(api huma.API) {
//		huma.Get(api, "/app/orders/count", m.count, control.Needs(control.Viewer))
//	})
//
// register is called once, at once. An operation needs the role operator unless it says otherwise (Needs, Open). What it answers with is huma's to
// decide, but that errors leave as problems (RFC 9457), that a 5xx never tells its cause, which is logged, and that a panic is a 500. Handlers learn who
// asks from Asker. A path outside /app/, an operation that is there already and whatever huma panics about are faults of the registration.
func Operations(r *runtime.Registry, register func(huma.API)) {
	if register == nil {
		r.Fault(errors.New("control.Operations: the function is nil"))
		return
	}
	var app *application
	if known := r.Extensions(operationsKey); len(known) > 0 {
		app, _ = known[0].(*application)
	}
	if app == nil {
		app = newApplication(r.Logger())
		r.Extend(operationsKey, app)
	}
	for _, err := range app.take(register) {
		r.Fault(fmt.Errorf("operations of the application: %w", err))
	}
}

// Needs says of an operation of the application which role it needs.
func Needs(role Role) func(*huma.Operation) {
	return func(op *huma.Operation) { op.Security = []map[string][]string{{securityScheme: {string(role)}}} }
}

// Open says of an operation of the application that anyone may use it who can reach the address, without a token.
func Open() func(*huma.Operation) {
	return func(op *huma.Operation) { op.Security = []map[string][]string{} }
}

// Asker is who was admitted to the operation under way.
func Asker(ctx context.Context) Principal { return asker(ctx) }

type extensionKey string

// operationsKey holds the *application.
const operationsKey extensionKey = "operations"

// application is what Operations has collected: handlers, and a document of its own that becomes part of the control plane's.
type application struct {
	log      *slog.Logger
	document *huma.OpenAPI
	routes   []route
	mux      *http.ServeMux // finds patterns that do not go together
	ids      map[string]string
	types    map[string]reflect.Type // by the name of the schema
	faults   []error                 // of the register under way
}

// route is one operation of the application.
type route struct {
	op      *huma.Operation
	access  Access
	handler func(huma.Context)
}

func applicationOf(a *runtime.App) *application {
	if known := a.Extensions(operationsKey); len(known) > 0 {
		app, _ := known[0].(*application)
		return app
	}
	return nil
}

func newApplication(log *slog.Logger) *application {
	app := &application{log: log, mux: http.NewServeMux(), ids: map[string]string{}, types: map[string]reflect.Type{}}
	own := newAPI(nil, nil, nil, catalogue(Config{}), nil)
	for path, item := range own.OpenAPI().Paths {
		for _, op := range operationsOf(item) {
			app.ids[op.OperationID] = op.Method + " " + path
		}
	}
	app.document = &huma.OpenAPI{
		OpenAPI: "3.1.0", Info: own.OpenAPI().Info,
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", app.nameSchema), SecuritySchemes: own.OpenAPI().Components.SecuritySchemes,
		},
	}
	return app
}

// take runs register with an API of its own, so that its middleware is its own too, and gives the faults.
func (app *application) take(register func(huma.API)) (faults []error) {
	app.faults = nil
	defer func() {
		if v := recover(); v != nil {
			app.faults = append(app.faults, fmt.Errorf("panic: %v", v))
		}
		faults = app.faults
	}()
	register(huma.NewAPI(huma.Config{
		OpenAPI:       app.document,
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{app.sanitise},
	}, app))
	return nil
}

// Handle is for huma: it takes an operation up, or says what is wrong with it.
func (app *application) Handle(op *huma.Operation, handler func(huma.Context)) {
	at := op.Method + " " + op.Path
	access, err := accessOf(op)
	if clean := path.Clean(op.Path); err == nil && (!strings.HasPrefix(op.Path, applicationRoot) || op.Path != clean && op.Path != clean+"/") {
		err = fmt.Errorf("it must be under %s, in its canonical form", applicationRoot)
	}
	if other, taken := app.ids[op.OperationID]; err == nil && taken && op.OperationID != "" {
		err = fmt.Errorf("the operation ID %q is taken by %s", op.OperationID, other)
	}
	if err == nil {
		err = app.claim(at)
	}
	if err != nil {
		app.faults = append(app.faults, fmt.Errorf("%s: %w", at, err))
		return
	}
	app.ids[op.OperationID] = at
	app.routes = append(app.routes, route{op, access, handler})
}

// ServeHTTP is for huma; the operations are served by the control plane only.
func (*application) ServeHTTP(w http.ResponseWriter, _ *http.Request) { notRunning().write(w) }

// claim sees patterns that the mux would panic about.
func (app *application) claim(pattern string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	app.mux.Handle(pattern, app)
	return nil
}

// accessOf reads what an operation demands. What says nothing needs an operator.
func accessOf(op *huma.Operation) (Access, error) {
	switch {
	case op.Security == nil:
		return accessCommand, nil
	case len(op.Security) == 0:
		return accessProbe, nil
	case len(op.Security) == 1 && len(op.Security[0]) == 1:
		if roles := op.Security[0][securityScheme]; len(roles) == 1 && Role(roles[0]).rank() > 0 {
			return Access{Role: Role(roles[0]), Without: Never}, nil
		}
	}
	return Access{}, fmt.Errorf("its security %v is not one that control.Needs or control.Open gives", op.Security)
}

// nameSchema keeps the schemas of the application apart from those of the control plane, and types of one name apart from each other.
func (app *application) nameSchema(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	base := "App" + huma.DefaultSchemaNamer(t, hint)
	name := base
	for n := 2; t.Name() != ""; n++ {
		if known, ok := app.types[name]; !ok || known == t {
			app.types[name] = t
			break
		}
		name = base + strconv.Itoa(n)
	}
	return name
}

// mount serves the operations at the gate.
func (app *application) mount(g *gate) {
	if g == nil {
		return
	}
	for _, rt := range app.routes {
		next := exactNames(app.document.Components.Schemas, rt.op, humaHandler(rt.op, rt.handler))
		if streams(rt.op) {
			next = g.stream(next)
		}
		g.handle(rule{id: rt.op.OperationID, method: rt.op.Method, path: rt.op.Path, need: rt.access, body: bodyOf(rt.op)}, next)
	}
}

// streams tells whether an operation answers with server-sent events, which end when the control plane stops.
func streams(op *huma.Operation) bool {
	for _, r := range op.Responses {
		if r != nil && r.Content["text/event-stream"] != nil {
			return true
		}
	}
	return false
}

// bodyOf takes what the operation takes: any media type, as long as huma's bound for it says; an unbounded one is not read ahead.
func bodyOf(op *huma.Operation) bodyRule {
	limit := op.MaxBodyBytes
	if limit == 0 {
		limit = maxBody
	}
	return bodyRule{limit: limit, anyMedia: true}
}

// addTo makes the application's document part of doc.
func (app *application) addTo(doc *huma.OpenAPI) {
	if len(app.routes) == 0 {
		return
	}
	doc.Tags = append(append(doc.Tags, app.document.Tags...), &huma.Tag{Name: tagApplication, Description: "The application's own operations."})
	for _, rt := range app.routes {
		if !rt.op.Hidden {
			doc.AddOperation(describeRoute(rt))
		}
	}
	for name, s := range app.document.Components.Schemas.Map() {
		if name != "AppErrorModel" {
			doc.Components.Schemas.Map()[name] = s
		}
	}
}

// describeRoute is the operation with what the control plane adds to it; the one that huma validates by stays as it is.
func describeRoute(rt route) *huma.Operation {
	op := *rt.op
	need := rt.access
	op.Security = securityOf(need)
	op.Extensions = maps.Clone(op.Extensions)
	if op.Extensions == nil {
		op.Extensions = map[string]any{}
	}
	op.Extensions[accessExtension] = need
	if len(op.Tags) == 0 {
		op.Tags = []string{tagApplication}
	}
	op.Responses = maps.Clone(op.Responses)
	delete(op.Responses, "default")
	for _, status := range slices.Concat(refusalsOf(need, op.RequestBody != nil), op.Errors, []int{http.StatusUnprocessableEntity}) {
		op.Responses[strconv.Itoa(status)] = refusalResponse(status)
	}
	return &op
}

// sanitise is a huma transformer as the control plane's own is, for errors that the application chose: their words are kept, unless they are of a 5xx.
func (app *application) sanitise(ctx huma.Context, _ string, body any) (any, error) {
	failed, ok := body.(huma.StatusError)
	if !ok {
		return body, nil
	}
	ctx.SetHeader("Content-Type", problemType)
	p := problemOfHuma(failed, maxApplicationText)
	if p.Status < http.StatusInternalServerError {
		return p, nil
	}
	var causes []string
	for _, e := range p.Errors {
		causes = append(causes, e.Message)
	}
	app.log.Error("operation of the application failed", "operation", ctx.Operation().OperationID, "status", p.Status, "error", p.Detail, "causes", causes)
	hidden := internal()
	hidden.Status, hidden.Title = p.Status, http.StatusText(p.Status)
	return hidden, nil
}

func operationsOf(item *huma.PathItem) (ops []*huma.Operation) {
	for _, op := range []*huma.Operation{item.Get, item.Head, item.Post, item.Put, item.Patch, item.Delete, item.Options, item.Trace} {
		if op != nil {
			ops = append(ops, op)
		}
	}
	return ops
}

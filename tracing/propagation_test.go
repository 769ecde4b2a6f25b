package tracing

import (
	"context"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

const (
	goodParent = "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"
	goodState  = "vendor=value,other=1"
)

func TestExtract(t *testing.T) {
	for name, c := range map[string]struct {
		parent, state string
		valid         bool
		wantState     string
	}{
		"good":               {goodParent, goodState, true, goodState},
		"no state":           {goodParent, "", true, ""},
		"future version":     {"01" + goodParent[2:] + "-more", "", true, ""},
		"none":               {"", goodState, false, ""},
		"CR LF":              {goodParent + "\r\n", goodState, false, ""},
		"NUL":                {goodParent + "\x00", "", false, ""},
		"upper case":         {strings.ToUpper(goodParent[:40]) + goodParent[40:], "", false, ""},
		"zero trace":         {"00-00000000000000000000000000000000-0102030405060708-01", "", false, ""},
		"zero span":          {"00-0102030405060708090a0b0c0d0e0f10-0000000000000000-01", "", false, ""},
		"version ff":         {"ff" + goodParent[2:], "", false, ""},
		"too short":          {goodParent[:54], "", false, ""},
		"too long":           {goodParent + "-0", "", false, ""},
		"oversized future":   {"01" + goodParent[2:] + "-" + strings.Repeat("x", 512), "", false, ""},
		"state CR LF":        {goodParent, goodState + "\r\nSet-Cookie: x", true, ""},
		"state DEL":          {goodParent, "vendor=va\x7flue", true, ""},
		"state of 512 bytes": {goodParent, "v=" + strings.Repeat("x", 254) + ",w=" + strings.Repeat("x", 253), true, "v=" + strings.Repeat("x", 254) + ",w=" + strings.Repeat("x", 253)},
		"state of 513 bytes": {goodParent, "v=" + strings.Repeat("x", 254) + ",w=" + strings.Repeat("x", 254), true, ""},
		"state malformed":    {goodParent, "=,=", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			metadata := map[string]string{"traceparent": c.parent, "tracestate": c.state}
			before := maps.Clone(metadata)
			ctx := context.Background()
			got := Extract(ctx, metadata)
			sc := trace.SpanContextFromContext(got)
			if sc.IsValid() != c.valid || sc.TraceState().String() != c.wantState {
				t.Errorf("span context %v with state %q; want valid %v and state %q", sc, sc.TraceState(), c.valid, c.wantState)
			}
			if c.valid && !sc.IsRemote() {
				t.Error("the span context is not remote")
			}
			if !c.valid && got != ctx {
				t.Error("a context was made although there is no trace")
			}
			if !maps.Equal(before, metadata) {
				t.Errorf("metadata was changed to %v", metadata)
			}
		})
	}
}

func TestInject(t *testing.T) {
	good := Extract(context.Background(), map[string]string{"traceparent": goodParent, "tracestate": goodState})
	plain := Extract(context.Background(), map[string]string{"traceparent": goodParent})
	for name, c := range map[string]struct {
		ctx      context.Context
		in, want map[string]string
	}{
		"written":       {good, map[string]string{"a": "b"}, map[string]string{"a": "b", "traceparent": goodParent, "tracestate": goodState}},
		"no span":       {context.Background(), map[string]string{"traceparent": "kept", "tracestate": "too"}, map[string]string{"traceparent": "kept", "tracestate": "too"}},
		"stale state":   {plain, map[string]string{"traceparent": "old", "tracestate": "old=1"}, map[string]string{"traceparent": goodParent}},
		"nil":           {good, nil, nil},
		"huge state":    {withState(t, plain, strings.Repeat("x", 256), strings.Repeat("y", 256)), map[string]string{}, map[string]string{"traceparent": goodParent}},
		"state of size": {withState(t, plain, strings.Repeat("x", 256)), map[string]string{}, map[string]string{"traceparent": goodParent, "tracestate": "a=" + strings.Repeat("x", 256)}},
	} {
		t.Run(name, func(t *testing.T) {
			Inject(c.ctx, c.in)
			if !maps.Equal(c.in, c.want) {
				t.Errorf("metadata %v, want %v", c.in, c.want)
			}
		})
	}
}

// withState gives the span of ctx a trace state with the members a, b, …
func withState(t *testing.T, ctx context.Context, values ...string) context.Context {
	t.Helper()
	var parts []string
	for i, v := range values {
		parts = append(parts, string(rune('a'+i))+"="+v)
	}
	ts, err := trace.ParseTraceState(strings.Join(parts, ","))
	if err != nil {
		t.Fatal(err)
	}
	return trace.ContextWithSpanContext(ctx, trace.SpanContextFromContext(ctx).WithTraceState(ts))
}

func TestHarmless(t *testing.T) {
	for value, want := range map[string]bool{
		"": true, "a=b": true, "é": true, strings.Repeat("x", 512): true,
		"a\rb": false, "a\nb": false, "\x00": false, "\t": false, "\x7f": false, strings.Repeat("x", 513): false,
	} {
		if got := harmless(value); got != want {
			t.Errorf("harmless(%q) is %v, want %v", value, got, want)
		}
	}
}

// What Extract takes is harmless, and Inject writes it back so that the next Extract takes the same.
func FuzzExtract(f *testing.F) {
	f.Add(goodParent, goodState)
	f.Add(goodParent+"\r\n", "a=b\r\n")
	f.Add("01"+goodParent[2:]+"-x", strings.Repeat("a=b,", 40))
	f.Add("", "")
	f.Fuzz(func(t *testing.T, parent, state string) {
		first := trace.SpanContextFromContext(Extract(context.Background(), map[string]string{"traceparent": parent, "tracestate": state}))
		if !first.IsValid() {
			return
		}
		if !harmless(parent) || !first.IsRemote() {
			t.Fatalf("%q was taken", parent)
		}
		out := map[string]string{}
		Inject(trace.ContextWithSpanContext(context.Background(), first), out)
		for key, value := range out {
			if !harmless(value) {
				t.Fatalf("%s: %q was written", key, value)
			}
		}
		second := trace.SpanContextFromContext(Extract(context.Background(), out))
		if !second.Equal(first) {
			t.Fatalf("%v became %v", first, second)
		}
	})
}

package tracing

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// maxText is the longest text, in bytes, that this package puts into a span. OpenTelemetry limits span attributes to it
// as well, but neither the attributes of events nor the description of a status.
const maxText = 4 << 10

// cut shortens text to maxText, at the border of a character. The rest is not kept alive by the result.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end])
}

// attributes turns slog attributes into OpenTelemetry ones, groups into dotted keys.
func attributes(attrs []slog.Attr) []attribute.KeyValue {
	return appendAttributes(make([]attribute.KeyValue, 0, len(attrs)), "", attrs)
}

func appendAttributes(kvs []attribute.KeyValue, prefix string, attrs []slog.Attr) []attribute.KeyValue {
	for _, a := range attrs {
		v := a.Value.Resolve()
		key := prefix + a.Key
		switch {
		case v.Kind() == slog.KindGroup && a.Key == "":
			kvs = appendAttributes(kvs, prefix, v.Group())
		case v.Kind() == slog.KindGroup:
			kvs = appendAttributes(kvs, key+".", v.Group())
		case a.Key != "":
			kvs = append(kvs, attribute.KeyValue{Key: attribute.Key(key), Value: value(v)})
		}
	}
	return kvs
}

func value(v slog.Value) attribute.Value {
	switch v.Kind() {
	case slog.KindBool:
		return attribute.BoolValue(v.Bool())
	case slog.KindInt64:
		return attribute.Int64Value(v.Int64())
	case slog.KindUint64:
		if v.Uint64() > math.MaxInt64 {
			return attribute.StringValue(strconv.FormatUint(v.Uint64(), 10))
		}
		return attribute.Int64Value(int64(v.Uint64()))
	case slog.KindFloat64:
		return attribute.Float64Value(v.Float64())
	case slog.KindTime:
		return attribute.StringValue(v.Time().Format(time.RFC3339Nano))
	case slog.KindAny:
		return anyValue(v.Any())
	default: // string and duration
		return attribute.StringValue(cut(v.String()))
	}
}

func anyValue(v any) attribute.Value {
	if list, ok := v.([]string); ok {
		texts := make([]string, len(list))
		for i, text := range list {
			texts[i] = cut(text)
		}
		return attribute.StringSliceValue(texts)
	}
	return attribute.StringValue(cut(fmt.Sprint(v))) // honours Error and String, and survives their panics
}

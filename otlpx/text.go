package otlpx

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Protobuf has no strings but UTF-8: one other among the names and values that
// callers chose would lose the whole batch, or every later export of a metric.

// fixText replaces what is not UTF-8 and reports whether there was any.
func fixText(s string) (string, bool) {
	if utf8.ValidString(s) {
		return s, false
	}
	return strings.ToValidUTF8(s, "\uFFFD"), true
}

func fixValue(v attribute.Value) (attribute.Value, bool) {
	switch v.Type() {
	case attribute.STRING:
		s, bad := fixText(v.AsString())
		if !bad {
			return v, false
		}
		return attribute.StringValue(s), true
	case attribute.STRINGSLICE:
		all, bad := fixAll(v.AsStringSlice(), fixText)
		if !bad {
			return v, false
		}
		return attribute.StringSliceValue(all), true
	case attribute.SLICE:
		all, bad := fixAll(v.AsSlice(), fixValue)
		if !bad {
			return v, false
		}
		return attribute.SliceValue(all...), true
	case attribute.MAP:
		all, bad := fixAll(v.AsMap(), fixAttr)
		if !bad {
			return v, false
		}
		return attribute.MapValue(all...), true
	default:
		return v, false
	}
}

func fixAttr(kv attribute.KeyValue) (attribute.KeyValue, bool) {
	key, bad := fixText(string(kv.Key))
	value, worse := fixValue(kv.Value)
	return attribute.KeyValue{Key: attribute.Key(key), Value: value}, bad || worse
}

// fixAll returns all as it is, or a repaired copy.
func fixAll[T any](all []T, fix func(T) (T, bool)) (fixed []T, bad bool) {
	for i, one := range all {
		repaired, wrong := fix(one)
		if !wrong {
			continue
		}
		if !bad {
			all, bad = append([]T(nil), all...), true
		}
		all[i] = repaired
	}
	return all, bad
}

// fixRecord repairs a record of the batch processor's own.
func fixRecord(r *sdklog.Record) {
	if body, bad := fixValue(r.Body()); bad {
		r.SetBody(body)
	}
	attrs := make([]attribute.KeyValue, 0, r.AttributesLen())
	wrong := false
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		kv, bad := fixAttr(kv)
		wrong = wrong || bad
		attrs = append(attrs, kv)
		return true
	})
	if wrong {
		r.SetAttributes(attrs...)
	}
}

// fixSpans returns spans as it is, or a copy with those repaired that need it.
func fixSpans(spans []sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	fixed, _ := fixAll(spans, fixSpan)
	return fixed
}

// fixedSpan is a span with repaired text.
type fixedSpan struct {
	sdktrace.ReadOnlySpan

	name   string
	attrs  []attribute.KeyValue
	events []sdktrace.Event
	links  []sdktrace.Link
	status sdktrace.Status
}

func fixSpan(s sdktrace.ReadOnlySpan) (sdktrace.ReadOnlySpan, bool) {
	f := &fixedSpan{ReadOnlySpan: s, status: s.Status()}
	var bad [5]bool
	f.name, bad[0] = fixText(s.Name())
	f.attrs, bad[1] = fixAll(s.Attributes(), fixAttr)
	f.events, bad[2] = fixAll(s.Events(), fixEvent)
	f.links, bad[3] = fixAll(s.Links(), fixLink)
	f.status.Description, bad[4] = fixText(f.status.Description)
	if bad == [5]bool{} {
		return s, false
	}
	return f, true
}

func fixEvent(e sdktrace.Event) (sdktrace.Event, bool) {
	name, bad := fixText(e.Name)
	attrs, worse := fixAll(e.Attributes, fixAttr)
	e.Name, e.Attributes = name, attrs
	return e, bad || worse
}

func fixLink(l sdktrace.Link) (sdktrace.Link, bool) {
	attrs, bad := fixAll(l.Attributes, fixAttr)
	l.Attributes = attrs
	return l, bad
}

func (s *fixedSpan) Name() string                     { return s.name }
func (s *fixedSpan) Attributes() []attribute.KeyValue { return s.attrs }
func (s *fixedSpan) Events() []sdktrace.Event         { return s.events }
func (s *fixedSpan) Links() []sdktrace.Link           { return s.links }
func (s *fixedSpan) Status() sdktrace.Status          { return s.status }

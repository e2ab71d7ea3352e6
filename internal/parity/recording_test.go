package parity_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// recording is what one side recorded and showed, in a form that compares.
type recording struct {
	spans   []span
	metrics []series
	seen    []string // by the handlers: the span in their context, and baggage
	results []string // of the client
}

// span is a span, with times as offsets from the first call.
type span struct {
	name, kind          string
	status, description string
	attrs               attrs
	values              []string // of the attributes that are text, as they are
	self, parent        string
	links, events       []string
	start, end          time.Duration
	open                bool // it never ended
	children            int
}

// series is what one call added to one attribute set of one histogram.
type series struct {
	name, unit, description string
	bounds                  []float64
	attrs                   attrs
	count                   uint64
	sum                     float64
	buckets                 []uint64
	exemplars               []string
}

// attrs are attributes as text, with their types.
type attrs map[string]string

func attrsOf(kvs []attribute.KeyValue) attrs {
	a := attrs{}
	for _, kv := range kvs {
		if _, twice := a[string(kv.Key)]; twice {
			a[string(kv.Key)] += " and again"
		}
		a[string(kv.Key)] += fmt.Sprintf("%s(%s)", kv.Value.Type(), kv.Value.String())
	}
	return a
}

func (a attrs) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(a)) {
		parts = append(parts, key+"="+a[key])
	}
	return strings.Join(parts, " ")
}

// text is the attribute value that shows s.
func text(s string) string { return attrsOf([]attribute.KeyValue{attribute.String("k", s)})["k"] }

func contextText(sc trace.SpanContext) string {
	if !sc.IsValid() {
		return "none"
	}
	s := fmt.Sprintf("%s/%s/%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags())
	if ts := sc.TraceState().String(); ts != "" {
		s += " state " + ts
	}
	if sc.IsRemote() {
		s += " remote"
	}
	return s
}

func spanOf(s sdktrace.ReadOnlySpan, begin time.Time) span {
	out := span{
		name: s.Name(), kind: s.SpanKind().String(),
		status: s.Status().Code.String(), description: s.Status().Description,
		attrs: attrsOf(s.Attributes()),
		self:  contextText(s.SpanContext()), parent: contextText(s.Parent()),
		start:    s.StartTime().Sub(begin),
		open:     s.EndTime().IsZero(),
		children: s.ChildSpanCount(),
	}
	if !out.open {
		out.end = s.EndTime().Sub(begin)
	}
	for _, kv := range s.Attributes() {
		switch kv.Value.Type() {
		case attribute.STRING:
			out.values = append(out.values, kv.Value.AsString())
		case attribute.STRINGSLICE:
			out.values = append(out.values, kv.Value.AsStringSlice()...)
		}
	}
	for _, l := range s.Links() {
		out.links = append(out.links, contextText(l.SpanContext)+" "+attrsOf(l.Attributes).String())
	}
	for _, e := range s.Events() {
		out.events = append(out.events, fmt.Sprintf("%s at %s %s", e.Name, e.Time.Sub(begin), attrsOf(e.Attributes)))
	}
	return out
}

// seriesOf returns the series of RPC: servers of grpcx have others beside them.
func seriesOf(t testing.TB, rm *metricdata.ResourceMetrics) (all []series) {
	t.Helper()
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			if !strings.HasPrefix(m.Name, "rpc.") {
				continue
			}
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok {
				t.Errorf("%s is a %T, want a histogram", m.Name, m.Data)
				continue
			}
			for _, p := range h.DataPoints {
				s := series{
					name: m.Name, unit: m.Unit, description: m.Description,
					bounds: p.Bounds, attrs: attrsOf(p.Attributes.ToSlice()),
					count: p.Count, sum: p.Sum, buckets: p.BucketCounts,
				}
				for _, e := range p.Exemplars {
					s.exemplars = append(s.exemplars, fmt.Sprintf("%x/%x %v %s", e.TraceID, e.SpanID, e.Value, attrsOf(e.FilteredAttributes)))
				}
				slices.Sort(s.exemplars)
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b series) int { return strings.Compare(a.name, b.name) })
	return all
}

// lines is the recording as text.
func (r *recording) lines() []string {
	var out []string
	for i, s := range r.spans {
		out = append(out, fmt.Sprintf("span %d %q %s status %s %q, %s..%s, open %v, children %d", i, s.name, s.kind, s.status, s.description, s.start, s.end, s.open, s.children),
			fmt.Sprintf("span %d attributes: %s", i, s.attrs),
			fmt.Sprintf("span %d is %s, parent %s, links %q, events %q", i, s.self, s.parent, s.links, s.events))
	}
	for i, s := range r.metrics {
		id := fmt.Sprintf("series %d %s {%s}", i, s.name, s.attrs)
		out = append(out,
			fmt.Sprintf("%s: %d calls, sum %.6f, buckets %d", id, s.count, s.sum, s.buckets),
			fmt.Sprintf("%s: exemplars %q", id, s.exemplars),
			fmt.Sprintf("%s: unit %q, bounds %v, %q", id, s.unit, s.bounds, s.description))
	}
	for i, s := range r.seen {
		out = append(out, fmt.Sprintf("handler %d saw %s", i, s))
	}
	for i, s := range r.results {
		out = append(out, fmt.Sprintf("client %d got %s", i, s))
	}
	return out
}

// diff returns the lines that only one of the two has.
func diff(want, got *recording) string {
	w, g := want.lines(), got.lines()
	var b strings.Builder
	for _, line := range w {
		if !slices.Contains(g, line) {
			fmt.Fprintf(&b, "\n- %s", line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			fmt.Fprintf(&b, "\n+ %s", line)
		}
	}
	if b.Len() == 0 && len(w) != len(g) {
		fmt.Fprintf(&b, "\n%d lines against %d: one is there twice", len(w), len(g))
	}
	return b.String()
}

package promx_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/promx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const method = "grpc.testing.TestService/UnaryCall"

func failing(context.Context) error { return errors.New("of the test") }

// runtimeMetric are names that differ between platforms and releases of Go.
var runtimeMetric = regexp.MustCompile(`^(go|process)_`)

// The page's names, types, labels and help texts, of the text format.
func TestPage(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "greeter")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	srv := grpcxtest.NewMTLS(t, grpcx.WithTLSFiles(certs.ServerFiles()), withAdmin(), promx.New(), serving(failing),
		grpcx.WithTelemetry(grpcx.Telemetry{Messages: true}))
	conn := srv.Dial(t, grpc.WithTransportCredentials(clientOf(certs)))
	call(t, conn, 3)

	code, contentType, body := scrape(t, srv.AdminAddr(), plainText)
	assert.Equal(t, code, 200)
	assert.Equal(t, contentType, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
	families := parse(t, body)
	var b strings.Builder
	seen := map[string]bool{}
	for _, f := range families {
		if group := runtimeMetric.FindString(f.GetName()); group != "" {
			seen[group] = true
			continue
		}
		fmt.Fprintf(&b, "%s %s {%s}\n    %s\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels(f), ","), f.GetHelp())
	}
	const golden = "testdata/page.txt"
	if *update {
		assert.NoError(t, os.MkdirAll("testdata", 0o755))
		assert.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	assert.NoError(t, err)
	assert.Equal(t, b.String(), strings.ReplaceAll(string(want), "\r\n", "\n"))
	assert.True(t, seen["go_"] && seen["process_"], "the collectors of client_golang")

	labels := `error_type="UNKNOWN",rpc_method="` + method + `",rpc_response_status_code="UNKNOWN",rpc_system_name="grpc"`
	assert.Equal(t, series(body, "rpc_server_call_duration_seconds_count"), []string{"rpc_server_call_duration_seconds_count{" + labels + "} 3"})
	assert.Contains(t, body, `service_name="greeter"`, `deployment_environment_name="test"`)
	// What nobody has seen yet is 0, so that an increase is one.
	assert.Contains(t, body, `grpcx_panics_total{rpc_method="`+method+`"} 0`, `grpcx_drain_abandoned_total{rpc_method="`+method+`"} 0`)
}

func parse(t testing.TB, body string) []*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	byName, err := parser.TextToMetricFamilies(strings.NewReader(body))
	assert.NoError(t, err)
	var all []*dto.MetricFamily
	for _, f := range byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}

func labels(f *dto.MetricFamily) []string {
	var names []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			names = append(names, l.GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A call that is traced leaves an exemplar with its trace, in the formats that
// have a place for it.
func TestExemplars(t *testing.T) {
	for _, option := range []grpcx.Option{promx.New(), promx.New(promx.WithNativeHistograms())} {
		var id string
		srv := grpcxtest.New(t, withAdmin(), option, grpcx.WithTracerProvider(sdktrace.NewTracerProvider()),
			serving(func(ctx context.Context) error {
				id = traceID(ctx)
				return nil
			}))
		call(t, srv.Conn, 1)
		_, contentType, body := scrape(t, srv.AdminAddr(), openMetrics)
		assert.Contains(t, contentType, "application/openmetrics-text")
		assert.True(t, strings.HasSuffix(body, "# EOF\n"), "the end")
		if lines := series(body, "rpc_server_call_duration_seconds_bucket"); len(lines) > 1 { // not native
			assert.Contains(t, lines[0], " 1 # {", `span_id="`, `trace_id="`+id+`"`)
		}
		_, _, body = scrape(t, srv.AdminAddr(), plainText)
		assert.True(t, !strings.Contains(body, id), "the text format has no exemplars")

		h := histogram(t, srv)
		var exemplars []*dto.Exemplar
		exemplars = append(exemplars, h.GetExemplars()...)
		for _, b := range h.GetBucket() {
			if e := b.GetExemplar(); e != nil {
				exemplars = append(exemplars, e)
			}
		}
		assert.Equal(t, len(exemplars), 1)
		for _, l := range exemplars[0].GetLabel() {
			if l.GetName() == "trace_id" {
				assert.Equal(t, l.GetValue(), id)
			}
		}
	}
}

// histogram is the duration of calls by the protobuf format.
func histogram(t *testing.T, srv *grpcxtest.Server) *dto.Histogram {
	t.Helper()
	_, contentType, body := scrape(t, srv.AdminAddr(), protobuf)
	assert.Contains(t, contentType, "application/vnd.google.protobuf")
	d := expfmt.NewDecoder(strings.NewReader(body), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		var f dto.MetricFamily
		assert.NoError(t, d.Decode(&f))
		if f.GetName() == "rpc_server_call_duration_seconds" {
			return f.GetMetric()[0].GetHistogram()
		}
	}
}

func TestNativeHistograms(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin(), promx.New(promx.WithNativeHistograms()), serving(nil))
	call(t, srv.Conn, 10)
	h := histogram(t, srv)
	assert.Equal(t, h.GetSampleCount(), uint64(10))
	assert.True(t, h.GetSampleSum() > 0, "the sum")
	assert.True(t, h.GetSchema() >= 0 && h.GetSchema() <= 8, "the scale")
	assert.True(t, len(h.GetPositiveSpan()) > 0, "spans")
	total := int64(0)
	count := int64(0)
	for _, delta := range h.GetPositiveDelta() {
		count += delta
		total += count
	}
	assert.Equal(t, total, int64(10), "in the buckets:")

	// Others get count and sum.
	_, _, body := scrape(t, srv.AdminAddr(), openMetrics)
	assert.Equal(t, len(series(body, "rpc_server_call_duration_seconds_bucket")), 1)
	assert.Equal(t, len(series(body, "rpc_server_call_duration_seconds_count")), 1)

	// By default it is the other way around.
	srv = grpcxtest.New(t, withAdmin(), promx.New(), serving(nil))
	call(t, srv.Conn, 10)
	h = histogram(t, srv)
	assert.Equal(t, len(h.GetPositiveSpan()), 0)
	assert.True(t, len(h.GetBucket()) >= 14, "buckets")
}

// Clients cannot make series.
func TestCardinality(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin(), promx.New(), serving(nil))
	_, _, before := scrape(t, srv.AdminAddr(), plainText)
	for i := range 3000 {
		err := srv.Conn.Invoke(t.Context(), fmt.Sprintf("/made.up%d/Method", i), new(dto.Metric), new(dto.Metric))
		assert.ErrorContains(t, err, "Unimplemented")
	}
	_, _, after := scrape(t, srv.AdminAddr(), plainText)
	assert.Equal(t, series(after, "rpc_server_call_duration_seconds_count"),
		[]string{`rpc_server_call_duration_seconds_count{error_type="UNIMPLEMENTED",rpc_method="_OTHER",rpc_response_status_code="UNIMPLEMENTED",rpc_system_name="grpc"} 3000`})
	grown := len(series(after, "")) - len(series(before, ""))
	assert.True(t, grown < 40, fmt.Sprint(grown, " more lines"))
}

// A collector of the program that fails, or hangs, costs its own metrics.
func TestBadCollectors(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector(func(ch chan<- prometheus.Metric) {
		ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("bad", "bad", nil, nil), errors.New("database is away"))
	}))
	var log logBuffer
	srv := grpcxtest.New(t, withAdmin(), log.option(), promx.New(promx.WithRegistry(registry, registry)), serving(nil))
	for range 3 {
		code, _, body := scrape(t, srv.AdminAddr(), plainText)
		assert.Equal(t, code, 200)
		assert.Contains(t, body, "grpcx_health_ready 1")
	}
	assert.Equal(t, strings.Count(log.String(), "database is away"), 1, "lines in the log:")
}

func TestHangingCollector(t *testing.T) {
	registry := prometheus.NewRegistry()
	entered, leave := make(chan struct{}, 100), make(chan struct{})
	registry.MustRegister(collector(func(chan<- prometheus.Metric) {
		entered <- struct{}{}
		<-leave
	}))
	srv := grpcxtest.New(t, withAdmin(), promx.New(promx.WithRegistry(registry, registry)), serving(nil))
	codes := make(chan int, 20)
	ask := func() {
		code, _, _ := scrape(t, srv.AdminAddr(), plainText)
		codes <- code
	}
	for range 8 {
		go ask()
		<-entered
	}
	for range 12 { // no room
		go ask()
		assert.Equal(t, <-codes, 503)
	}
	assert.Equal(t, len(entered), 0, "collections that were begun beyond 8:")
	call(t, srv.Conn, 1)
	close(leave)
	for range 8 {
		assert.Equal(t, <-codes, 200)
	}
}

// collector is one that says nothing of itself beforehand.
type collector func(chan<- prometheus.Metric)

func (collector) Describe(chan<- *prometheus.Desc)      {}
func (c collector) Collect(ch chan<- prometheus.Metric) { c(ch) }

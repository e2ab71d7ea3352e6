package monitoring_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
	"github.com/grpcx-go/sdk/promx/internal/monitoring"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

func TestMain(m *testing.M) { leak.Main(m) }

type service struct {
	testgrpc.UnimplementedTestServiceServer
}

func (service) UnaryCall(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return nil, errors.New("of the test")
}

// TestInstruments holds the table against a server that has everything.
func TestInstruments(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 40))
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	reader := sdkmetric.NewManualReader()
	srv, err := grpcx.New(
		grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.WithTelemetry(grpcx.Telemetry{Messages: true}),
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithLogger(slog.New(slog.NewTextHandler(t.Output(), nil))),
		grpcx.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
		grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, service{}) }),
	)
	assert.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	defer func() {
		cancel()
		assert.NoError(t, <-ended)
	}()
	<-srv.Ready()

	conn, err := grpc.NewClient(srv.Addrs()[0].String(), grpc.WithTransportCredentials(
		credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))))
	assert.NoError(t, err)
	defer conn.Close()
	_, err = testgrpc.NewTestServiceClient(conn).UnaryCall(t.Context(), new(testgrpc.SimpleRequest))
	assert.ErrorContains(t, err, "Unknown")

	var all metricdata.ResourceMetrics
	assert.NoError(t, reader.Collect(t.Context(), &all))
	found := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m
		}
	}
	for _, want := range monitoring.Instruments() {
		got, ok := found[want.Name]
		delete(found, want.Name)
		if !ok {
			// The control group of a test need not have limits.
			if want.Need != monitoring.WithCgroup && want.Need != monitoring.Rarely {
				t.Errorf("%s is not recorded", want.Name)
			}
			continue
		}
		kind, attrs := describe(t, got)
		assert.Equal(t, kind, want.Kind, want.Name)
		assert.Equal(t, got.Unit, want.Unit, want.Name)
		assert.True(t, got.Description != "", want.Name)
		for _, key := range attrs {
			assert.True(t, slices.Contains(want.Attributes, key), want.Name, " has the attribute ", key)
			assert.True(t, strings.Contains(monitoring.Table(want.Calls), "`"+key+"`"), key, " is not in the table")
		}
	}
	for name := range found {
		t.Errorf("%s is recorded and not in the table", name)
	}
}

func describe(t *testing.T, m metricdata.Metrics) (kind monitoring.Kind, keys []string) {
	t.Helper()
	add := func(set attribute.Set) {
		for _, kv := range set.ToSlice() {
			keys = append(keys, string(kv.Key))
		}
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
		if !data.IsMonotonic {
			return monitoring.UpDownCounter, keys
		}
		return monitoring.Counter, keys
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
		return monitoring.Gauge, keys
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
	case metricdata.Histogram[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
	default:
		t.Errorf("%s is a %T", m.Name, data)
	}
	return monitoring.Histogram, keys
}

var name = regexp.MustCompile(`<[^> ]*>|\b(?:grpcx|rpc)_[a-z0-9_]+`)

// TestExpressions: they name what is in the table, by instrument and by
// attribute, and the dashboard shows all of it.
func TestExpressions(t *testing.T) {
	known, labels := map[string]string{}, map[string]bool{}
	for _, i := range monitoring.Instruments() {
		known["<"+i.Name+">"] = i.Prometheus()
		for _, a := range i.Attributes {
			labels[strings.ReplaceAll(a, ".", "_")] = true
		}
	}
	check := func(where, expr string) {
		for _, n := range name.FindAllString(expr, -1) {
			if known[n] == "" && !labels[n] && n != "rpc_method" && !strings.HasPrefix(n, "rpc_server_") {
				t.Errorf("%s: %s is no instrument and no attribute", where, n)
			}
		}
	}
	for _, r := range monitoring.Records() {
		check(r.Name, r.Expr)
	}
	for _, a := range monitoring.Alerts() {
		check(a.Name, a.Expr)
	}
	shown := ""
	for _, row := range monitoring.Rows() {
		for _, p := range row.Panels {
			for _, l := range p.Lines {
				check(p.Title, l.Expr)
				shown += l.Expr
			}
		}
	}
	for n := range known {
		assert.True(t, strings.Contains(shown, n), n, " is on no panel")
	}
}

// Panels do not overlap and leave nothing empty, ids are unique, and every query
// has a data source.
func TestDashboardShape(t *testing.T) {
	var d struct {
		Panels []struct {
			ID      int
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct {
				RefID, Expr string
				Datasource  struct{ UID string }
			}
		}
	}
	assert.NoError(t, json.Unmarshal([]byte(monitoring.DashboardJSON()), &d))
	ids, taken := map[int]bool{}, map[[2]int]bool{}
	for _, p := range d.Panels {
		assert.True(t, !ids[p.ID], "an id is there twice")
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				assert.True(t, !taken[at] && at[0] < 24, "panels overlap")
				taken[at] = true
			}
		}
		assert.Equal(t, len(p.Targets) > 0, p.Type != "row")
		for _, q := range p.Targets {
			assert.Equal(t, q.Datasource.UID, "${datasource}")
			assert.True(t, !strings.ContainsAny(q.Expr, "<>"), q.Expr)
		}
	}
	assert.True(t, len(ids) > 20, "panels")
}

package promx_test

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/promx"
	"github.com/grpcx-go/sdk/promx/internal/monitoring"
)

// series that each alert has under the faults of this test: label and value.
var alertSeries = map[string]map[string]string{
	"GrpcxNotReady":                  {"instance": "faulty"},
	"GrpcxErrorRatioHigh":            {"rpc_method": method},
	"GrpcxPanics":                    {"instance": "faulty", "rpc_method": "grpc.testing.TestService/UnimplementedCall"},
	"GrpcxDrainAbandoned":            {"instance": "stuck", "rpc_method": method},
	"GrpcxTLSReloadFailing":          {"instance": "faulty"},
	"GrpcxCertificateRenewalOverdue": {"instance": "faulty", "grpcx_check": "tls-certificate-renewal"},
	"GrpcxCertificateExpiring":       {"instance": "faulty"},
	"GrpcxGCPressure":                {"instance": "short", "grpcx_check": "gc-pressure"},
}

// TestPrometheus has a Prometheus scrape servers with every fault that there is
// an alert for, and one without: each alert's expression has the series that it
// should, and every panel of the dashboard has data, with histograms of both
// kinds.
func TestPrometheus(t *testing.T) {
	if os.Getenv("GRPCX_PROMETHEUS") == "" {
		t.Skip("set GRPCX_PROMETHEUS=1; needs prometheus and promtool (Debian: apt-get install prometheus)")
	}
	t.Run("rules", func(t *testing.T) {
		run(t, nil, "promtool", "check", "rules", "alerts/grpcx.yaml")
		out := run(t, nil, "promtool", "test", "rules", "alerts/grpcx_test.yaml")
		assert.Contains(t, out, "SUCCESS")
		// Each alert is seen to fire and to be silent.
		text, err := os.ReadFile("alerts/grpcx_test.yaml")
		assert.NoError(t, err)
		for _, a := range monitoring.Alerts() {
			assert.True(t, strings.Count(string(text), "alertname: "+a.Name+"\n") >= 1, a.Name, " fires nowhere")
			assert.Contains(t, string(text), "summary: ")
		}
	})
	for kind, use := range map[string]struct {
		options []promx.Option
		flag    string
	}{
		"buckets": {nil, "--enable-feature=exemplar-storage"},
		"native":  {[]promx.Option{promx.WithNativeHistograms()}, "--enable-feature=native-histograms"},
	} {
		t.Run(kind, func(t *testing.T) {
			page := promx.New(use.options...)
			a := newAuthority(t)
			faulty := startFaulty(t, a, page)
			healthy := startHealthy(t, a, page)
			stuck, stop := startStuck(t, page)
			short := startShort(t)
			p := startPrometheus(t, []target{
				{"faulty", faulty.AdminAddr()}, {"healthy", healthy.AdminAddr()}, {"stuck", stuck.AdminAddr()}, {"short", short},
			}, use.flag)
			eventually(t, "all targets are up", func() error {
				up, err := p.query(t, "up == 1")
				if err == nil && len(up) != 4 {
					err = fmt.Errorf("%v", up)
				}
				return err
			})
			stop()
			for _, alert := range monitoring.Alerts() {
				p.checkAlert(t, alert)
			}
			p.checkRules(t)
			p.checkPanels(t)
			native, err := p.query(t, "histogram_count(rpc_server_call_duration_seconds)")
			assert.NoError(t, err)
			assert.Equal(t, len(native) > 0, kind == "native", "native histograms are stored:")
			if kind == "buckets" {
				p.checkExemplars(t)
				_, _, body := scrape(t, faulty.AdminAddr(), plainText)
				run(t, strings.NewReader(body), "promtool", "check", "metrics")
			}
			info, err := p.query(t, `target_info{instance="healthy"}`)
			assert.NoError(t, err)
			assert.Equal(t, len(info), 1)
			assert.Contains(t, info[0].Metric["service_name"], "promx.test")
		})
	}
}

// checkAlert waits until the expression has the series it should, and sees that
// it has none of the server that is well.
func (p *prometheusServer) checkAlert(t *testing.T, alert monitoring.Alert) {
	t.Helper()
	want, ok := alertSeries[alert.Name]
	if !ok {
		t.Errorf("there is no fault for %s", alert.Name)
	}
	expr := monitoring.PromQL(alert.Expr)
	var got []sample
	eventually(t, alert.Name, func() (err error) {
		got, err = p.query(t, expr)
		if err == nil && !slices.ContainsFunc(got, func(s sample) bool { return contains(s.Metric, want) }) {
			err = fmt.Errorf("%s is %v, want %v in it", expr, got, want)
		}
		return err
	})
	for _, s := range got {
		if s.Metric["instance"] == "healthy" || s.Metric["rpc_method"] == "grpc.testing.TestService/EmptyCall" {
			t.Errorf("%s: %v", alert.Name, s)
		}
	}
}

func contains(labels, want map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// checkRules sees that Prometheus evaluates the rules, and that it makes alerts
// of them.
func (p *prometheusServer) checkRules(t *testing.T) {
	t.Helper()
	eventually(t, "every alert is pending or firing", func() error {
		var rules struct {
			Groups []struct {
				Rules []struct{ Name, Health, State, LastError, Type string }
			}
		}
		if err := p.api(t, "/api/v1/rules", nil, &rules); err != nil {
			return err
		}
		left := maps.Clone(alertSeries)
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return fmt.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
				}
				if r.State == "pending" || r.State == "firing" {
					delete(left, r.Name)
				}
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("inactive: %v", slices.Sorted(maps.Keys(left)))
		}
		return nil
	})
}

// checkPanels evaluates every query of the dashboard.
func (p *prometheusServer) checkPanels(t *testing.T) {
	t.Helper()
	variables := strings.NewReplacer("$job", "grpcx", "$instance", ".*", "$rpc_method", ".*", "$__rate_interval", "15s")
	empty := []string{}
	for _, row := range monitoring.Rows() {
		for _, panel := range row.Panels {
			for _, line := range panel.Lines {
				expr := variables.Replace(monitoring.PromQL(line.Expr))
				got, err := p.query(t, expr)
				if err != nil {
					t.Errorf("%s: %v", panel.Title, err)
				}
				if len(got) == 0 {
					empty = append(empty, panel.Title)
				}
			}
		}
	}
	// The control group may be without limits, and nobody is distrusted.
	for _, title := range empty {
		assert.True(t, slices.Contains([]string{"Connections distrusted", "CPU throttled", "Memory limit enforced"}, title), title, " is empty")
	}
}

// checkExemplars finds the trace of a call beside its duration.
func (p *prometheusServer) checkExemplars(t *testing.T) {
	t.Helper()
	var found []struct {
		SeriesLabels map[string]string
		Exemplars    []struct{ Labels map[string]string }
	}
	assert.NoError(t, p.api(t, "/api/v1/query_exemplars", url.Values{
		"query": {`rpc_server_call_duration_seconds_bucket{instance="faulty"}`},
		"start": {fmt.Sprint(time.Now().Add(-time.Minute).Unix())}, "end": {fmt.Sprint(time.Now().Unix() + 1)},
	}, &found))
	assert.True(t, len(found) > 0, "exemplars")
	for _, f := range found {
		assert.Equal(t, len(f.Exemplars[0].Labels["trace_id"]), 32)
		assert.Equal(t, len(f.Exemplars[0].Labels["span_id"]), 16)
	}
}

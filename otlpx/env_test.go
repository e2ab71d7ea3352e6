package otlpx_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/otlpx"
)

func environment(pairs ...string) func(string) string {
	values := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func TestEnvironmentErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certtest.NewCA(t, "ca").Issue(t, certtest.Client).Write(t, dir, "client")
	empty := certtest.WriteFile(t, dir, "empty.crt", nil)
	https := "OTEL_EXPORTER_OTLP_ENDPOINT=https://collector:4318"
	tests := map[string]struct {
		env  []string
		want []string
	}{
		"exporter":          {[]string{"OTEL_TRACES_EXPORTER=zipkin"}, []string{"OTEL_TRACES_EXPORTER", `"zipkin"`, "otlp, none"}},
		"list of exporters": {[]string{"OTEL_METRICS_EXPORTER=otlp,prometheus"}, []string{"OTEL_METRICS_EXPORTER", "otlp, none"}},
		"protocol":          {[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=http/json"}, []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc, http/protobuf"}},
		"own protocol":      {[]string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=tcp"}, []string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"}},
		"compression":       {[]string{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd"}, []string{"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip, none"}},
		"timeout":           {[]string{"OTEL_EXPORTER_OTLP_TIMEOUT=10s"}, []string{"OTEL_EXPORTER_OTLP_TIMEOUT", `"10s"`, "milliseconds", "10000"}},
		"no timeout":        {[]string{"OTEL_EXPORTER_OTLP_TIMEOUT=0"}, []string{"OTEL_EXPORTER_OTLP_TIMEOUT"}},
		"queue":             {[]string{"OTEL_BSP_MAX_QUEUE_SIZE=-1"}, []string{"OTEL_BSP_MAX_QUEUE_SIZE", "2048"}},
		"no scheme":         {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"}, []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"}},
		"no scheme, grpc": {
			[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=10.0.0.1:4317"},
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"},
		},
		"port":             {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:70000"}, []string{"OTEL_EXPORTER_OTLP_ENDPOINT"}},
		"no host":          {[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://:4318"}, []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}},
		"user":             {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:secret@collector"}, []string{"has a user", "OTEL_EXPORTER_OTLP_HEADERS"}},
		"query":            {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector?key=secret"}, []string{"a query"}},
		"headers":          {[]string{"OTEL_EXPORTER_OTLP_HEADERS=authorization: Bearer secret"}, []string{"OTEL_EXPORTER_OTLP_HEADERS", "key1=value1"}},
		"escaped headers":  {[]string{"OTEL_EXPORTER_OTLP_LOGS_HEADERS=a=secret%zz"}, []string{"OTEL_EXPORTER_OTLP_LOGS_HEADERS", "percent-encoded"}},
		"propagator":       {[]string{"OTEL_PROPAGATORS=tracecontext, w3c"}, []string{"OTEL_PROPAGATORS", "w3c", "b3multi"}},
		"sampler":          {[]string{"OTEL_TRACES_SAMPLER=sometimes"}, []string{"OTEL_TRACES_SAMPLER", `"sometimes"`, "traceidratio"}},
		"sampler argument": {[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=1%"}, []string{"OTEL_TRACES_SAMPLER_ARG", "0.01"}},
		"no number":        {[]string{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=NaN"}, []string{"OTEL_TRACES_SAMPLER_ARG"}},
		"resource":         {[]string{"OTEL_RESOURCE_ATTRIBUTES=team=a,broken"}, []string{"OTEL_RESOURCE_ATTRIBUTES", "key1=value1"}},
		"plaintext":        {[]string{"OTEL_EXPORTER_OTLP_CERTIFICATE=" + cert}, []string{"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_ENDPOINT"}},
		"no CA":            {[]string{https, "OTEL_EXPORTER_OTLP_CERTIFICATE=" + empty}, []string{empty, "holds no certificate"}},
		"no key":           {[]string{https, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=" + cert}, []string{"set OTEL_EXPORTER_OTLP_CLIENT_KEY"}},
		"no certificate":   {[]string{https, "OTEL_EXPORTER_OTLP_CLIENT_KEY=" + key}, []string{"set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"}},
		"not a key": {
			[]string{https, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=" + cert, "OTEL_EXPORTER_OTLP_CLIENT_KEY=" + cert},
			[]string{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := otlpx.CheckEnvironment(environment(tt.env...))
			assert.ErrorContains(t, err, append(tt.want, "otlpx: OTEL_")...)
			variable, ok := errors.AsType[*otlpx.EnvError](err)
			assert.True(t, ok)
			assert.ErrorIs(t, err, variable)
			assert.ErrorIs(t, err, variable.Err)
			assert.NotContains(t, err.Error(), "secret")
			assert.Equal(t, strings.Count(err.Error(), "\n"), 0, "a problem that all signals share is said once")
		})
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env  []string
		want map[string]string
	}{
		"defaults": {nil, map[string]string{
			"traces":  "http/protobuf http://localhost:4318/v1/traces",
			"metrics": "http/protobuf http://localhost:4318/v1/metrics",
			"logs":    "http/protobuf http://localhost:4318/v1/logs",
		}},
		"base and own": {
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c.example/base/", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://l.example", "OTEL_METRICS_EXPORTER=none"},
			map[string]string{"traces": "http/protobuf https://c.example/base/v1/traces", "logs": "http/protobuf http://l.example/"},
		},
		"grpc": {
			[]string{
				"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://[::1]/x",
				"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=unix:///run/otel.sock", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf",
			},
			map[string]string{
				"traces": "grpc https://[::1]:443", "metrics": "grpc unix:///run/otel.sock",
				"logs": "http/protobuf http://localhost:4318/v1/logs",
			},
		},
		"disabled": {[]string{"OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=zipkin"}, map[string]string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.NoError(t, otlpx.CheckEnvironment(environment(tt.env...)))
			assert.Equal(t, otlpx.Endpoints(environment(tt.env...)), tt.want)
		})
	}
}

// Whatever the variables hold, there is an error that names one, or targets that
// can be used, and no secret in either.
func FuzzEnvironment(f *testing.F) {
	f.Add("http://collector:4318", "a=b", "tracecontext", "0.5", "10000", "grpc")
	f.Add("unix:", "=", "none,", "NaN", "-1", "http/protobuf")
	f.Add("https://[::1]:x/%zz?#", "k=%41,", ",", "1e9", "9999999999999999999", "")
	f.Fuzz(func(t *testing.T, endpoint, headers, propagators, arg, timeout, protocol string) {
		values := map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": headers, "OTEL_PROPAGATORS": propagators,
			"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": arg, "OTEL_EXPORTER_OTLP_TIMEOUT": timeout,
			"OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
		}
		get := func(name string) string { return values[name] }
		if err := otlpx.CheckEnvironment(get); err != nil {
			variable, ok := errors.AsType[*otlpx.EnvError](err)
			if !ok || values[variable.Variable] == "" && !strings.HasPrefix(variable.Variable, "OTEL_EXPORTER_OTLP_") {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, target := range otlpx.Endpoints(get) {
			if _, where, _ := strings.Cut(target, " "); where == "" || strings.Contains(where, "@") && !strings.HasPrefix(where, "unix:") {
				t.Fatalf("%q", maps.Collect(maps.All(otlpx.Endpoints(get))))
			}
		}
	})
}

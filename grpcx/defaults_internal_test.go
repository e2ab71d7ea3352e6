package grpcx

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

var update = flag.Bool("update", false, "rewrite docs/defaults.md")

const defaultsFile = "../docs/defaults.md"

// docs/defaults.md is what New does when nothing is said.
func TestDefaultsDocument(t *testing.T) {
	want := defaultsDocument(t)
	if *update {
		assert.NoError(t, os.WriteFile(defaultsFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(defaultsFile)
	assert.NoError(t, err)
	if string(got) != want {
		t.Errorf("docs/defaults.md is not what the code does; run: go test ./grpcx -run TestDefaultsDocument -update\ngot:\n%s\nwant:\n%s", got, want)
	}
}

func defaultsDocument(t *testing.T) string {
	t.Helper()
	srv, err := New(WithInsecure())
	assert.NoError(t, err)
	s := srv.Settings()
	var b strings.Builder
	b.WriteString(`# Defaults

Written by ` + "`go test ./grpcx -run TestDefaultsDocument -update`" + ` from what the code does; a test keeps it so.

Zero means the default everywhere. "Negative" is what a negative value means; where there is none, it is an error.
`)
	table(&b, "Limits", "grpcx.WithLimits(grpcx.Limits{...})", &s.Limits, "")
	table(&b, "Keepalive", "grpcx.WithKeepalive(grpcx.Keepalive{...})", &s.Keepalive, "KEEPALIVE_")
	table(&b, "Drain", "grpcx.WithDrain(grpcx.Drain{...})", &s.Drain, "DRAIN_")
	table(&b, "Distrust", "grpcx.WithDistrust(grpcx.Distrust{...})", &s.Distrust, "")

	b.WriteString("\n## The rest\n\n| what | default | change it with |\n| --- | --- | --- |\n")
	for _, row := range [][3]string{
		{"address", "`" + s.Addrs[0] + "`", "`WithAddr`, `WithListener`, the listeners given to `Serve`"},
		{"transport security", "none: `New` fails until it is chosen", "`WithTLSFiles`, `WithTLS`, `WithInsecure`"},
		{"client certificate, with TLS", "required and verified", "`tlsx.Files.ClientAuth`"},
		{"TLS versions", "1.2 and 1.3", "not changeable downwards"},
		{"panics", "recovered: `Internal` with an id; value and stack to the log", "`Without(grpcx.Recovery)`"},
		{"access log", fmt.Sprintf("%v, for health and reflection %v", srv.path.newMethod("app.Service", "M", nil).log, srv.path.newMethod("grpc.health.v1.Health", "Check", nil).log), "`WithMethods`, `Without(grpcx.AccessLog)`"},
		{"deadline of a call", "the caller's", "`WithMethods(..., grpcx.Policy{Timeout: ...})`"},
		{"logger", "`slog.Default()`", "`WithLogger`"},
		{"health service", "served", "`Without(grpcx.Health)`"},
		{"metrics", "of every call and of the server, to the global provider where an SDK is set", "`WithMeterProvider`, `WithTelemetry`, `Without(grpcx.Metrics)`"},
		{"spans", fmt.Sprintf("of every call but %s, to the global provider where an SDK is set", quietSpans(srv.path)), "`WithTracerProvider`, `WithTelemetry`, `WithMethods`, `Without(grpcx.Tracing)`"},
		{"trace and baggage of the caller", "read by the global propagator", "`WithPropagator`"},
		{"stream workers", fmt.Sprintf("%d for each GOMAXPROCS, at most %d", workersPerProc, defaultMaxWorkers), "`WithStreamWorkers`"},
		{"GOMAXPROCS and GOMEMLIMIT", "kept in step with the control groups by `Run`, not `Serve`", "`runtimex.Apply` before `Run`, `Without(grpcx.RuntimeTuning)`"},
		{"probe listener", or(s.ProbeAddr, "none"), "`WithProbeAddr`"},
		{"TLS on the probe listener", onOff(s.ProbeTLS), "`WithProbeTLS`"},
		{"admin listener", or(s.AdminAddr, "none"), "`WithAdminAddr`; `:6060` is `127.0.0.1:6060`"},
		{"reflection", onOff(s.Reflection), "`WithReflection`"},
		{"unknown methods", "`Unimplemented`", "`WithUnknownHandler`"},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row[0], row[1], row[2])
	}

	b.WriteString("\n## Environment\n\n`grpcx.FromEnv(\"APP\")` reads these. The environment cannot ask for plaintext, drop the client certificate, lift a limit or open the admin listener to a network.\n\n| variable | meaning |\n| --- | --- |\n")
	for _, k := range envKeys() {
		fmt.Fprintf(&b, "| `APP_GRPC_%s` | %s |\n", k.name, k.doc)
	}
	return b.String()
}

// table writes the fields of a config struct. Distrust has no variables: the
// environment cannot weaken security.
func table(b *strings.Builder, title, option string, cfg any, prefix string) {
	fmt.Fprintf(b, "\n## %s\n\n`%s`\n\n| field | default | negative | environment | meaning |\n| --- | --- | --- | --- | --- |\n", title, option)
	for f := range fields(cfg) {
		value := f.effective()
		if f.name == "MaxConnections" {
			value = fmt.Sprintf("3/4 of RLIMIT_NOFILE, or %d where there is none", fallbackMaxConnections)
		}
		negative := or(f.negative, "error")
		if !f.value.CanInt() {
			negative = ""
		}
		variable := "`APP_GRPC_" + prefix + strings.ToUpper(f.key) + "`"
		if title == "Distrust" {
			variable = ""
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", f.name, value, negative, variable, f.doc)
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func TestDefaultMaxConnections(t *testing.T) {
	for files, want := range map[uint64]int{0: 10_000, 1024: 768, 20_000: 15_000, 1 << 40: 786_432} {
		assert.Equal(t, defaultMaxConnections(files), want)
	}
	srv, err := New(WithInsecure())
	assert.NoError(t, err)
	assert.Equal(t, srv.Settings().Limits.MaxConnections, defaultMaxConnections(fileLimit()))
}

// quietSpans names the services whose calls have no span, as the path has it.
func quietSpans(p *callPath) string {
	var quiet []string
	for _, service := range []string{"app.Service", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} {
		if p.newMethod(service, "M", nil).noSpans {
			quiet = append(quiet, "`"+service+"`")
		}
	}
	return strings.Join(quiet, ", ")
}

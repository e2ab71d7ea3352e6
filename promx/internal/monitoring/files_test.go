package monitoring_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/promx/internal/monitoring"
)

var update = flag.Bool("update", false, "rewrite the files")

const (
	alerts    = "../../alerts"
	dashboard = "../../dashboards/grpcx.json"
	telemetry = "../../../docs/telemetry.md"
)

// TestFiles holds the files against their source.
func TestFiles(t *testing.T) {
	docs := read(t, telemetry)
	docs = between(t, docs, "calls", monitoring.Table(true))
	docs = between(t, docs, "server", monitoring.Table(false))
	for path, want := range map[string]string{
		telemetry:                           docs,
		filepath.Join(alerts, "grpcx.yaml"): monitoring.RulesYAML(),
		filepath.Join(alerts, "README.md"):  monitoring.Runbooks(),
		dashboard:                           monitoring.DashboardJSON(),
	} {
		if *update {
			assert.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			assert.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		} else if read(t, path) != want {
			t.Errorf("%s is not what its source says; run: go test ./internal/monitoring -run TestFiles -update", path)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	assert.NoError(t, err)
	// A checkout on Windows may have turned the line ends.
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// between replaces what is between two marks of a document.
func between(t *testing.T, text, name, with string) string {
	t.Helper()
	begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q and %q", telemetry, begin, end)
	}
	return before + begin + with + end + after
}

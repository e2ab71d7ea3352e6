package otlp_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// documented is a row of a table of docs/telemetry.md.
type documented struct {
	name, unit string
	attributes []string
}

var (
	quoted = regexp.MustCompile("`([^`]+)`")
	key    = regexp.MustCompile(`^(rpc|error|grpcx)\.[a-z_.]+$`)
)

// ownRows are the metrics of otlpx, which its package documentation names.
var ownRows = []documented{
	{"grpcx.otlp.items", "{item}", []string{"grpcx.signal", "grpcx.outcome"}},
	{"grpcx.otlp.queue", "{item}", []string{"grpcx.signal"}},
	{"grpcx.otlp.failing", "1", []string{"grpcx.signal"}},
}

// readDocumentation returns the metrics that docs/telemetry.md lists, and those of
// otlpx.
func readDocumentation(t *testing.T) []documented {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "telemetry.md"))
	assert.NoError(t, err)
	var rows []documented
	metrics := false
	for line := range bytes.Lines(text) {
		cells := strings.Split(strings.TrimSpace(string(line)), "|")
		if len(cells) < 5 {
			metrics = false
			continue
		}
		switch strings.TrimSpace(cells[1]) {
		case "metric":
			metrics = true
			continue
		case "---":
			continue
		}
		if !metrics {
			continue
		}
		row := documented{unit: strings.TrimSpace(cells[2])}
		for i, match := range quoted.FindAllStringSubmatch(cells[1], -1) {
			assert.Equal(t, i, 0, "one metric a row: "+cells[1])
			row.name = match[1]
		}
		for _, match := range quoted.FindAllStringSubmatch(cells[3], -1) {
			if key.MatchString(match[1]) {
				row.attributes = append(row.attributes, match[1])
			}
		}
		if before := len(rows) - 1; before >= 0 && len(row.attributes) == 0 && refers.MatchString(cells[3]) {
			row.attributes = rows[before].attributes
		}
		rows = append(rows, row)
	}
	assert.True(t, len(rows) > 20, "docs/telemetry.md has tables of metrics")
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "otlpx", "doc.go"))
	assert.NoError(t, err)
	for _, own := range ownRows {
		assert.Contains(t, string(doc), own.name)
		if !slices.ContainsFunc(rows, func(row documented) bool { return row.name == own.name }) {
			rows = append(rows, own)
		}
	}
	return rows
}

// refers are the words by which a row has the attributes of the one before.
var refers = regexp.MustCompile(`likewise|the same`)

package benchcmd

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file of testdata, or writes it where the tests were
// started with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		assert.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	assert.NoError(t, err)
	if got != string(want) {
		t.Errorf("%s differs; run go test -update and look at the difference. Got:\n%s", name, got)
	}
}

// fixedReport has every field that a report can have.
func fixedReport() *report {
	r := &report{
		Schema: schema,
		Time:   "2026-11-22T10:00:00Z",
		Machine: machine{
			MachineInfo: runtimex.MachineInfo{
				GOOS: "linux", GOARCH: "arm64", Level: "v8.0", NumCPU: 4, PageSize: 65536, CacheLinePad: 128,
				HardwareAES: true, Features: []string{"aes", "atomics", "pmull"},
			},
			CPUModel: "Neoverse N1", CPUQuota: 2.5, GOMAXPROCS: 3,
		},
		Software: software{"v1.0.0", "go1.26.8", "1.85.0"},
		Settings: settings{2, 3, connections, callsInFlight, 200, "TLS 1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768"},
	}
	for _, l := range allLoads() {
		if l.name != "unary-1k" && l.name != "idle" {
			continue
		}
		res := result{Load: l.name, Title: l.title, Metrics: metricsOf(l)}
		for i := range res.Metrics {
			v := float64(i+1) * 12.34567
			res.Metrics[i].summarize([]sample{{res.Metrics[i].Name: v}, {res.Metrics[i].Name: v * 3}, {res.Metrics[i].Name: v * 2}})
		}
		r.Results = append(r.Results, res)
	}
	return r
}

// earlierReport is from another machine, with one load of the two.
func earlierReport() *report {
	r := fixedReport()
	r.Time = "2026-11-21T10:00:00Z"
	r.Machine.GOARCH, r.Machine.Level, r.Machine.CPUModel, r.Machine.PageSize = "amd64", "v1", "AMD EPYC", 4096
	r.Results = r.Results[:1]
	r.Results[0].Metrics[0].summarizeAgain(1)
	r.Results[0].Metrics[1].summarizeAgain(100)
	return r
}

// summarizeAgain replaces the values.
func (m *metric) summarizeAgain(v float64) {
	m.Values = nil
	m.summarize([]sample{{m.Name: v}, {m.Name: v + 1}, {m.Name: v + 2}})
}

// The JSON is what others decode: a field that is renamed or goes needs another
// schema.
func TestJSON(t *testing.T) {
	r := fixedReport()
	r.compareWith(earlierReport(), "before.json")
	var out bytes.Buffer
	assert.NoError(t, r.writeJSON(&out))
	golden(t, "report.golden.json", out.String())

	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	again := &report{}
	assert.NoError(t, d.Decode(again))
	assert.Equal(t, again, r)
}

func TestTableText(t *testing.T) {
	r := fixedReport()
	var out strings.Builder
	assert.NoError(t, r.writeTable(&out))
	out.WriteString("\n--- compared ---\n\n")
	r.compareWith(earlierReport(), "before.json")
	assert.NoError(t, r.writeTable(&out))
	out.WriteString("\n--- with itself ---\n\n")
	r.compareWith(fixedReport(), "same.json")
	assert.NoError(t, r.writeTable(&out))
	golden(t, "table.golden", out.String())
}

// A stranger's file cannot write to the terminal.
func TestTablePrintable(t *testing.T) {
	earlier := earlierReport()
	earlier.Machine.CPUModel = "evil\x1b[2J\u009b\r"
	r := fixedReport()
	r.compareWith(earlier, "before.json")
	var out strings.Builder
	assert.NoError(t, r.writeTable(&out))
	assert.Contains(t, out.String(), "evil[2J")
	assert.NotContains(t, out.String(), "\x1b", "\r", "\u009b")
}

func TestMedian(t *testing.T) {
	m := metric{Name: "x"}
	m.summarize([]sample{{"x": 4}, {"x": 1}, {"x": 3}, {"x": 2}})
	assert.Equal(t, []float64{m.Median, m.Min, m.Max}, []float64{2.5, 1, 4})
	assert.Equal(t, m.Values, []float64{4, 1, 3, 2})
}

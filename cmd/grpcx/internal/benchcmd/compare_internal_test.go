package benchcmd

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

func TestVerdict(t *testing.T) {
	tests := []struct {
		name      string
		better    string
		now, then []float64
		ratio     float64
		want      string
	}{
		{"a higher rate", higher, []float64{10, 11, 12}, []float64{4, 5, 6}, 2.2, betterVerdict},
		{"a lower rate", higher, []float64{4, 5, 6}, []float64{10, 11, 12}, 0.455, worseVerdict},
		{"less time", lower, []float64{4, 5, 6}, []float64{10, 11, 12}, 0.455, betterVerdict},
		{"more time", lower, []float64{10, 11, 12}, []float64{4, 5, 6}, 2.2, worseVerdict},
		{"overlap", lower, []float64{6, 11, 12}, []float64{4, 5, 7}, 2.2, unclearVerdict},
		{"they touch", lower, []float64{6, 11, 12}, []float64{4, 5, 6}, 2.2, unclearVerdict},
		{"the same", lower, []float64{5, 5, 5}, []float64{5, 5, 5}, 1, unclearVerdict},
		{"few now", higher, []float64{10, 11}, []float64{4, 5, 6}, 2.1, unclearVerdict},
		{"few then", higher, []float64{10, 11, 12}, []float64{4}, 2.75, unclearVerdict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, then := metricOf(tt.better, tt.now), metricOf(tt.better, tt.then)
			now.compareWith(then)
			assert.Equal(t, now.Ratio, tt.ratio)
			assert.Equal(t, now.Verdict, tt.want)
		})
	}
}

func metricOf(better string, values []float64) *metric {
	m := &metric{Name: "x", Better: better}
	samples := make([]sample, len(values))
	for i, v := range values {
		samples[i] = sample{"x": v}
	}
	m.summarize(samples)
	return m
}

// What cannot be divided by, or is in another unit, is not compared.
func TestCompareNothing(t *testing.T) {
	for _, change := range []func(*metric){
		func(m *metric) { m.Median = 0 },
		func(m *metric) { m.Median = -1 },
		func(m *metric) { m.Median = math.SmallestNonzeroFloat64 },
		func(m *metric) { m.Unit = "furlongs" },
		func(m *metric) { m.Name = "another" },
	} {
		earlier := fixedReport()
		change(&earlier.Results[0].Metrics[0])
		r := fixedReport()
		r.compareWith(earlier, "before.json")
		assert.Equal(t, r.Results[0].Metrics[0].Verdict, "")
		assert.Equal(t, r.Results[0].Metrics[1].Ratio, 1.0)
	}
}

func TestDifferences(t *testing.T) {
	earlier := fixedReport()
	earlier.Settings.TLS = "" // it measured nothing with TLS
	r := fixedReport()
	r.compareWith(earlier, "before.json")
	assert.Equal(t, len(r.differences()), 0)

	earlier.Settings.TLS = "TLS 1.3, TLS_CHACHA20_POLY1305_SHA256, X25519"
	earlier.Settings.Runs = 1
	earlier.Software.Go = "go1.27"
	earlier.Machine.CPUQuota = 0
	r.compareWith(earlier, "before.json")
	found := make([]string, 0, 4)
	for _, d := range r.differences() {
		found = append(found, d.name)
	}
	assert.Equal(t, strings.Join(found, " "), "CPUs Go measured TLS")
}

// Whatever a file holds, it is refused in one line, or compared with and
// written.
func FuzzParseReport(f *testing.F) {
	var whole bytes.Buffer
	assert.NoError(f, earlierReport().writeJSON(&whole))
	for _, seed := range []string{
		whole.String(), "", "{}", "[]", `{"schema":"grpcx-bench/2"}`, `{"schema":"grpcx-bench/1"}`, `{"schema":null}`,
		`{"schema":"grpcx-bench/1","results":[{"load":"unary-1k","metrics":[{"name":"rate","unit":"call/s","median":1e308}]}]}`,
		`{"schema":"grpcx-bench/1","settings":{"duration_seconds":1e300},"results":[{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		earlier, err := parseReport(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			return
		}
		r := fixedReport()
		r.compareWith(earlier, "before.json")
		var out bytes.Buffer
		assert.NoError(t, r.writeJSON(&out))
		assert.True(t, json.Valid(out.Bytes()))
		assert.NoError(t, r.writeTable(&out))
	})
}

package benchcmd

import (
	"encoding/json"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// schema names the format of the JSON. Fields may be added to it; one that
// goes, or means something else, makes it another schema.
const schema = "grpcx-bench/1"

// The metrics.
const (
	rate         = "rate"
	serverCPU    = "server_cpu"
	serverAllocs = "server_allocs"
	serverMemory = "server_memory"
	latencyP50   = "latency_p50"
	latencyP99   = "latency_p99"
)

// report is the JSON. Fields that are not always there come last.
type report struct {
	Schema   string   `json:"schema"`
	Time     string   `json:"time"` // of the start, RFC 3339, UTC
	Machine  machine  `json:"machine"`
	Software software `json:"software"`
	Settings settings `json:"settings"`
	Results  []result `json:"results"`

	ComparedWith *comparedWith `json:"compared_with,omitempty"`
}

// settings are how it was measured. Only duration and runs can be chosen.
type settings struct {
	DurationSeconds float64 `json:"duration_seconds"`
	Runs            int     `json:"runs"`
	Connections     int     `json:"connections"`
	CallsInFlight   int     `json:"calls_in_flight"` // on each connection
	IdleConnections int     `json:"idle_connections"`
	TLS             string  `json:"tls"` // what was negotiated; empty without TLS
}

// result is what a load gave.
type result struct {
	Load    string   `json:"load"`
	Title   string   `json:"title"`
	Metrics []metric `json:"metrics"`
}

// metric is a figure of a load, and its range over the runs.
type metric struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Better string    `json:"better"` // higher or lower
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Values []float64 `json:"values"` // one per run, in their order

	Ratio   float64 `json:"ratio,omitempty"`   // of the median to the earlier one
	Verdict string  `json:"verdict,omitempty"` // better, worse or unclear
}

// What is better of a metric.
const (
	higher = "higher"
	lower  = "lower"
)

// metricsOf are those of a load, in the order of the report.
func metricsOf(l load) []metric {
	if l.idle() {
		return []metric{{Name: serverMemory, Unit: "KiB/" + l.unit, Better: lower}}
	}
	return []metric{
		{Name: rate, Unit: l.unit + "/s", Better: higher},
		{Name: serverCPU, Unit: "us/" + l.unit, Better: lower},
		{Name: serverAllocs, Unit: "objects/" + l.unit, Better: lower},
		{Name: latencyP50, Unit: "us", Better: lower},
		{Name: latencyP99, Unit: "us", Better: lower},
	}
}

func (b *bench) report(began time.Time) *report {
	r := &report{
		Schema:   schema,
		Time:     began.UTC().Format(time.RFC3339),
		Machine:  readMachine(b.facts.gomaxprocs),
		Software: software{SDK: sdkVersion(), Go: runtime.Version(), GRPC: grpc.Version},
		Settings: settings{
			DurationSeconds: b.duration.Seconds(), Runs: b.runs,
			Connections: connections, CallsInFlight: callsInFlight, IdleConnections: idleConnections, TLS: b.facts.tls,
		},
	}
	for _, l := range b.loads {
		res := result{Load: l.name, Title: l.title, Metrics: metricsOf(l)}
		for i := range res.Metrics {
			res.Metrics[i].summarize(b.samples[l.name])
		}
		r.Results = append(r.Results, res)
	}
	return r
}

func (m *metric) summarize(samples []sample) {
	for _, s := range samples {
		m.Values = append(m.Values, rounded(s[m.Name]))
	}
	sorted := slices.Sorted(slices.Values(m.Values))
	n := len(sorted)
	m.Median = rounded((sorted[(n-1)/2] + sorted[n/2]) / 2)
	m.Min, m.Max = sorted[0], sorted[n-1]
}

// rounded leaves three decimals: no figure has as much to say.
func rounded(v float64) float64 { return math.Round(v*1e3) / 1e3 }

func (r *report) result(load string) *result {
	for i := range r.Results {
		if r.Results[i].Load == load {
			return &r.Results[i]
		}
	}
	return nil
}

func (r *report) loadNames() string {
	list := make([]string, len(r.Results))
	for i, res := range r.Results {
		list[i] = res.Load
	}
	return strings.Join(list, ", ")
}

func (r *report) hasOneOf(loads []load) bool {
	return slices.ContainsFunc(loads, func(l load) bool { return r.result(l.name) != nil })
}

func (r *report) writeJSON(out io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

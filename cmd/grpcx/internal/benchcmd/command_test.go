package benchcmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/benchcmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

// grpcx runs a command line in this process. Its servers are child processes.
func grpcx(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Run(ctx, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, args, benchcmd.New)
	return code, out.String(), errs.String()
}

// measured is what users of the JSON decode.
type measured struct {
	Schema  string
	Machine struct {
		Goos, Goarch string
		PageSize     int `json:"page_size"`
		NumCPU       int `json:"num_cpu"`
		Gomaxprocs   int
	}
	Software struct{ SDK, Go, GRPC string }
	Settings struct{ TLS string }
	Results  []struct {
		Load    string
		Metrics []struct {
			Name, Unit, Better, Verdict string
			Median, Min, Max, Ratio     float64
			Values                      []float64
		}
	}
	ComparedWith *struct{ File string } `json:"compared_with"`
}

func decode(t *testing.T, text string) measured {
	t.Helper()
	var m measured
	assert.NoError(t, json.Unmarshal([]byte(text), &m))
	return m
}

// tiny is too short to say anything but that it works.
var tiny = []string{"bench", "--duration", "20ms", "--runs", "2"}

func bench(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := grpcx(t.Context(), append(slices.Clip(tiny), args...)...)
	if code != cli.OK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	assert.Equal(t, stderr, "")
	return stdout
}

// A tiny run measures every load, with plausible figures.
func TestEverything(t *testing.T) {
	scratch := t.TempDir()
	t.Setenv("TMPDIR", scratch)
	m := decode(t, bench(t, "-o", "json"))
	assert.Equal(t, m.Schema, "grpcx-bench/1")
	assert.True(t, m.Machine.Goos != "" && m.Machine.Goarch != "" && m.Machine.PageSize >= 4096)
	assert.True(t, m.Machine.NumCPU > 0 && m.Machine.Gomaxprocs > 0)
	assert.True(t, m.Software.SDK != "" && m.Software.Go != "" && m.Software.GRPC != "")
	assert.Contains(t, m.Settings.TLS, "TLS 1.3, TLS_")
	assert.True(t, m.ComparedWith == nil)
	loads := make([]string, len(m.Results))
	for i, r := range m.Results {
		loads[i] = r.Load
		want := []string{"rate", "server_cpu", "server_allocs", "latency_p50", "latency_p99"}
		if strings.HasPrefix(r.Load, "idle") {
			want = []string{"server_memory"}
		}
		got := make([]string, len(r.Metrics))
		for j, metric := range r.Metrics {
			got[j] = metric.Name
			assert.Equal(t, len(metric.Values), 2, r.Load, metric.Name)
			assert.True(t, metric.Min <= metric.Median && metric.Median <= metric.Max, r.Load, metric.Name)
			if metric.Name != "server_cpu" { // the system may count it in ticks longer than the run
				assert.True(t, metric.Min > 0, r.Load, metric.Name)
			}
		}
		assert.Equal(t, got, want, r.Load)
	}
	assert.Equal(t, loads, []string{
		"unary-1k", "unary-1k-tls", "stream-1m", "stream-1m-tls",
		"handshake-full", "handshake-resumed", "idle", "idle-tls",
	})
	plausible(t, m)
	left, err := os.ReadDir(scratch)
	assert.NoError(t, err)
	assert.Equal(t, len(left), 0, "the certificates are still there: ")
}

// plausible checks what holds however short the run is.
func plausible(t *testing.T, m measured) {
	t.Helper()
	median := map[string]float64{}
	for _, r := range m.Results {
		for _, metric := range r.Metrics {
			median[r.Load+" "+metric.Name] = metric.Median
			if metric.Name == "server_memory" {
				assert.Equal(t, metric.Unit, "KiB/connection")
			}
		}
	}
	// An idle connection takes a few dozen KiB, and TLS takes some on top.
	plain, tls := median["idle server_memory"], median["idle-tls server_memory"]
	assert.True(t, plain > 4 && plain < 1024, "plaintext")
	assert.True(t, tls > plain && tls < 1024, "TLS")
	// A resumed handshake signs nothing and verifies no chain.
	assert.True(t, median["handshake-resumed server_allocs"] < median["handshake-full server_allocs"], "objects of a resumed handshake")
}

func TestTable(t *testing.T) {
	table := bench(t, "--only", " unary-1k , handshake-full")
	assert.Contains(t, table, "platform", "features", "pages", "software", "TLS 1.3",
		"2 x 20ms", "LOAD", "unary-1k ", "call/s", "handshake-full  rate", "connection/s", "latency p99")
	assert.NotContains(t, table, "unary-1k-tls", "stream", "idle-tls", "RATIO", "%!", "NaN", "\t")
}

func TestProgress(t *testing.T) {
	code, _, stderr := grpcx(t.Context(), "bench", "--duration", "10ms", "--runs", "2", "--only", "unary-1k,handshake-full", "--progress")
	assert.Equal(t, code, cli.OK)
	assert.True(t, regexp.MustCompile(`(?s)^1 of 4: unary-1k
2 of 4: handshake-full, about \ds left
3 of 4: unary-1k, about \ds left
4 of 4: handshake-full, about \ds left
$`).MatchString(stderr), stderr)
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	before := filepath.Join(dir, "before.json")
	assert.NoError(t, os.WriteFile(before, []byte(bench(t, "-o", "json", "--runs", "3", "--only", "unary-1k")), 0o644))

	m := decode(t, bench(t, "-o", "json", "--runs", "3", "--only", "unary-1k*", "--compare", before))
	assert.Equal(t, m.ComparedWith.File, before)
	for _, metric := range m.Results[0].Metrics {
		if metric.Name == "server_allocs" { // the one that is the same each time
			assert.True(t, metric.Ratio > 0.5 && metric.Ratio < 2, metric.Name)
		}
		assert.True(t, metric.Verdict != "", metric.Name)
	}
	assert.Equal(t, m.Results[1].Load, "unary-1k-tls")
	assert.Equal(t, m.Results[1].Metrics[0].Verdict, "")

	table := bench(t, "--only", "unary-1k*", "--compare", before)
	assert.Contains(t, table, "RATIO", "VERDICT", "unclear", "not measured then", "Ratios are to "+before, "3 x 20ms", "2 x 20ms")
}

// Figures of another machine are compared with, and what differs is told.
func TestCompareOtherMachine(t *testing.T) {
	table := bench(t, "--only", "unary-1k", "--compare", filepath.Join("testdata", "report.golden.json"))
	assert.Contains(t, table, "RATIO", "unclear", "What was different:", "Neoverse N1", "64 KiB", "aes atomics pmull", "3 x 2s")
}

// Bad input is one line that says what to do, exit code 2, and nothing else.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		assert.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"argument", []string{"now"}, []string{`bench: unexpected argument "now"`, "--help"}},
		{"flag", []string{"--fast"}, []string{"--fast", `see "grpcx bench --help"`}},
		{"no duration", []string{"--duration", "2"}, []string{"--duration", `see "grpcx bench --help"`}},
		{"short", []string{"--duration", "1ms"}, []string{"--duration 1ms", "from 10ms to 1m"}},
		{"long", []string{"--duration", "1h"}, []string{"--duration 1h0m0s", "from 10ms to 1m"}},
		{"no runs", []string{"--runs", "0"}, []string{"--runs 0", "from 1 to 100"}},
		{"many runs", []string{"--runs", "101"}, []string{"--runs 101", "from 1 to 100"}},
		{"output", []string{"-o", "xml"}, []string{`invalid argument "xml" for "-o, --output" flag: must be tty or json`, `see "grpcx bench --help"`}},
		{"only nothing", []string{"--only="}, []string{"--only is empty"}},
		{"compare with nothing", []string{"--compare="}, []string{"--compare is empty"}},
		{"load", []string{"--only", "unary-1k,pigeon"}, []string{`no load matches "pigeon"`, "handshake-resumed"}},
		{"pattern", []string{"--only", "[a"}, []string{`pattern "[a"`, "needs its ]"}},
		{"empty pattern", []string{"--only", "idle,"}, []string{`no load matches ""`}},
		{"no file", []string{"--compare", filepath.Join(dir, "none.json")}, []string{"none.json", "no such file", "name a file"}},
		{"directory", []string{"--compare", dir}, []string{dir, "directory", "name a file"}},
		{"empty file", []string{"--compare", file("empty", "")}, []string{"empty", "no JSON of grpcx bench", "write one with -o json"}},
		{"a table", []string{"--compare", file("table", "platform linux\n")}, []string{"no JSON of grpcx bench"}},
		{"an array", []string{"--compare", file("array", "[1]")}, []string{"no JSON of grpcx bench"}},
		{"cut", []string{"--compare", file("cut", `{"schema":"grpcx-bench/1","res`)}, []string{"no JSON of grpcx bench"}},
		{"two", []string{"--compare", file("two", `{"schema":"grpcx-bench/1"}{}`)}, []string{"no JSON of grpcx bench"}},
		{"another JSON", []string{"--compare", file("other", "{}")}, []string{`has no "schema"`, "name a file"}},
		{"newer", []string{"--compare", file("newer", `{"schema":"grpcx-bench/2","results":7}`)},
			[]string{`its schema is "grpcx-bench/2"`, `reads "grpcx-bench/1"`, "measure again"}},
		{"damaged", []string{"--compare", file("damaged", `{"schema":"grpcx-bench/1","results":7}`)}, []string{"it is damaged", "results", "measure again"}},
		{"no results", []string{"--compare", file("bare", `{"schema":"grpcx-bench/1"}`)}, []string{"no results", "measure again"}},
		{"other loads", []string{"--only", "idle", "--compare", file("loads", `{"schema":"grpcx-bench/1","results":[{"load":"unary-1k"}]}`)},
			[]string{"none of the loads", "it has unary-1k", "--only"}},
		{"huge", []string{"--compare", file("huge", strings.Repeat(" ", 1<<20+1))}, []string{"more than 1048576 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := grpcx(t.Context(), append([]string{"bench"}, tt.args...)...)
			assert.Equal(t, code, cli.Usage)
			assert.Equal(t, stdout, "")
			assert.Contains(t, stderr, append(tt.want, "grpcx: ")...)
			assert.Equal(t, strings.Count(stderr, "\n"), 1, stderr)
		})
	}
}

// A context that ends ends the measurement, the servers and the directory of
// the certificates; nothing of a result is written.
func TestInterrupted(t *testing.T) {
	scratch := t.TempDir()
	t.Setenv("TMPDIR", scratch)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := writer(func(p []byte) {
		if bytes.Contains(p, []byte("2 of")) {
			cancel()
		}
	})
	var out bytes.Buffer
	code := cli.Run(ctx, cli.Streams{Out: &out, Err: stop}, []string{"bench", "--duration", "100ms", "--progress"}, benchcmd.New)
	assert.Equal(t, code, cli.Failed)
	assert.Equal(t, out.String(), "")
	left, err := os.ReadDir(scratch)
	assert.NoError(t, err)
	assert.Equal(t, len(left), 0)

	code, stdout, stderr := grpcx(ctx, tiny...)
	assert.Equal(t, code, cli.Failed)
	assert.Equal(t, stdout, "")
	assert.Contains(t, stderr, "interrupted after 0 of 16 measurements; start it again")
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// Where the result cannot be written, that is an error and not a success.
func TestOutputFails(t *testing.T) {
	var errs bytes.Buffer
	full := cli.Streams{Out: fullDisk{}, Err: &errs}
	code := cli.Run(t.Context(), full, append(slices.Clip(tiny), "--only", "unary-1k"), benchcmd.New)
	assert.Equal(t, code, cli.Failed)
	assert.Contains(t, errs.String(), "could not be written", "no space", "has room")
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestNoDirectory(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	code, stdout, stderr := grpcx(t.Context(), tiny...)
	assert.Equal(t, code, cli.Failed)
	assert.Equal(t, stdout, "")
	assert.Contains(t, stderr, "need a directory", "set TMPDIR")
}

package bench_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/bench"
	"github.com/grpcx-go/sdk/internal/assert"
)

// A tiny run measures a few stacks, with and without TLS, and writes it all.
func TestRun(t *testing.T) {
	cfg := config(t)
	cfg.Rounds, cfg.Chunks, cfg.Calls = 1, 2, 40
	cfg.ProfileDir = t.TempDir()
	assert.NoError(t, cfg.SelectStacks("bare again,grpcx,grpcx without recovery"))
	assert.NoError(t, cfg.SelectLoads("headers,errors,stream-64,paced,mtls-64"))
	result, err := bench.Run(t.Context(), cfg)
	assert.NoError(t, err)
	checkSamples(t, cfg, result, map[string]int{
		"headers": 80, "errors": 80, "stream-64": 320, "paced": 32, "mtls-64": 80,
	})
	checkOutput(t, cfg, result, "1 round of 2 chunks", "| bare |", "| bare again |", "| grpcx |", "| grpcx without recovery |",
		"CPU x bare", "p99 µs", "| recovery, on to off | headers |")
	for _, name := range []string{"bare", "grpcx", "grpcx-without-recovery", "grpcx-mtls"} {
		info, err := os.Stat(filepath.Join(cfg.ProfileDir, name+".pprof"))
		assert.True(t, err == nil && info.Size() > 0, name)
	}
}

func TestRunHandshakes(t *testing.T) {
	cfg := config(t)
	cfg.Rounds, cfg.Chunks, cfg.Calls = 2, 1, 40
	assert.NoError(t, cfg.SelectStacks("grpcx"))
	assert.NoError(t, cfg.SelectLoads("handshake,resumed"))
	result, err := bench.Run(t.Context(), cfg)
	assert.NoError(t, err)
	checkSamples(t, cfg, result, map[string]int{"handshake": 4, "resumed": 4})
	checkOutput(t, cfg, result, "2 rounds of 1 chunk", "full handshake", "resumed")
}

// Memory takes many connections to tell from what else happens.
func TestRunIdle(t *testing.T) {
	cfg := config(t)
	cfg.Rounds, cfg.Chunks, cfg.Calls = 1, 1, 500
	assert.NoError(t, cfg.SelectStacks("grpcx"))
	assert.NoError(t, cfg.SelectLoads("idle"))
	result, err := bench.Run(t.Context(), cfg)
	assert.NoError(t, err)
	checkSamples(t, cfg, result, map[string]int{"idle": 50})
	checkOutput(t, cfg, result, "KiB/connection")
}

// Every stack serves.
func TestRunAllStacks(t *testing.T) {
	cfg := config(t)
	cfg.Rounds, cfg.Chunks, cfg.Calls = 1, 1, 20
	assert.NoError(t, cfg.SelectLoads("unary-64"))
	result, err := bench.Run(t.Context(), cfg)
	assert.NoError(t, err)
	checkSamples(t, cfg, result, map[string]int{"unary-64": 20})
}

func config(t *testing.T) bench.Config {
	t.Helper()
	cfg, err := bench.DefaultConfig()
	assert.NoError(t, err)
	cfg.Note = func(text string) { t.Log(text) }
	return cfg
}

func checkSamples(t *testing.T, cfg bench.Config, r *bench.Result, calls map[string]int) {
	t.Helper()
	assert.Equal(t, len(r.Rounds), len(calls))
	for load, n := range calls {
		assert.Equal(t, len(r.Rounds[load]), len(cfg.Programs[0].Stacks), load)
		for stack, samples := range r.Rounds[load] {
			assert.Equal(t, len(samples), cfg.Rounds, load, stack)
			for _, s := range samples {
				assert.Equal(t, s.Calls, n, load, stack)
				assert.True(t, s.CPU > 0 && s.AllocsPerCall() > 1 && s.BytesPerCall() > 64, load, stack)
				if load == "paced" {
					assert.Equal(t, len(s.Latencies), n, stack)
					assert.True(t, s.Latency(0.5) > 1 && s.Latency(0.99) < float64(time.Minute/time.Microsecond), stack)
				}
				if strings.HasSuffix(load, "idle") {
					assert.True(t, s.InUsePerCall() > 1<<10, load, stack)
				}
			}
		}
	}
}

func checkOutput(t *testing.T, cfg bench.Config, r *bench.Result, parts ...string) {
	t.Helper()
	var table strings.Builder
	assert.NoError(t, r.WriteMarkdown(&table))
	assert.Contains(t, table.String(), parts...)
	assert.NotContains(t, table.String(), "NaN", "Inf")
	for _, l := range cfg.Loads {
		var plot bytes.Buffer
		assert.NoError(t, r.WriteSVG(&plot, l))
		assert.Contains(t, plot.String(), l.Title, ">grpcx<")
		assert.NotContains(t, plot.String(), "NaN", "Inf", "%!")
		wellFormed(t, &plot)
	}
}

func wellFormed(t *testing.T, in io.Reader) {
	t.Helper()
	for d := xml.NewDecoder(in); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("the plot is no XML: %v", err)
			return
		}
	}
}

func TestRunRefusals(t *testing.T) {
	cfg := config(t)
	cfg.Calls = 0
	_, err := bench.Run(t.Context(), cfg)
	assert.ErrorContains(t, err, "must be positive")

	cfg = config(t)
	cfg.Programs[0].Stacks = []string{bench.GRPCX}
	_, err = bench.Run(t.Context(), cfg)
	assert.ErrorContains(t, err, `must contain "bare"`)

	cfg = config(t)
	cfg.Loads = nil
	_, err = bench.Run(t.Context(), cfg)
	assert.ErrorContains(t, err, "no load")
}

// A server that does not start is an error that names it, and leaves no
// process behind.
func TestRunServerFails(t *testing.T) {
	cfg := config(t)
	cfg.Programs[0].Stacks = []string{bench.Bare, "made up"}
	_, err := bench.Run(t.Context(), cfg)
	assert.ErrorContains(t, err, "the made up server did not start", "exit status 1")
}

package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/bench/server"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestSpread(t *testing.T) {
	assert.Equal(t, spreadOf([]float64{3, 1, 2}), spread{2, 1, 3})
	assert.Equal(t, spreadOf([]float64{4, 1, 2, 3}), spread{2.5, 1, 4})
	assert.Equal(t, spreadOf([]float64{7}), spread{7, 7, 7})
}

func TestLatency(t *testing.T) {
	var s Sample
	assert.Equal(t, s.Latency(0.5), 0)
	for i := range 100 {
		s.Latencies = append(s.Latencies, time.Duration(100-i)*time.Microsecond)
	}
	assert.Equal(t, s.Latency(0.5), 50)
	assert.Equal(t, s.Latency(0.99), 99)
	assert.Equal(t, s.Latency(1), 100)
	assert.Equal(t, s.Latency(0), 1)
	assert.Equal(t, s.Latencies[0], 100*time.Microsecond) // left as it was
}

func sample(cpu time.Duration, allocs uint64, inUse int64, latencies ...time.Duration) Sample {
	const calls = 10
	return Sample{server.Usage{CPU: cpu * calls, Allocs: allocs * calls, Bytes: allocs * 10 * calls, InUse: inUse * calls}, calls, latencies}
}

const us = time.Microsecond

// fixture has rounds that are slow for all servers alike: such a one does not
// count.
func fixture() *Result {
	loads := []Load{
		{Name: "u", Title: "Unary", Unit: "RPC"},
		{Name: "p", Title: "Paced", Unit: "RPC", paced: true},
		{Name: "i", Title: "Idle", Unit: "connection", memory: true},
	}
	return &Result{
		Config: Config{
			Programs: []Program{{Stacks: []string{Bare, BareAgain, GRPCX, grpcxWithout + "recovery"}}, {Stacks: []string{"peer"}}},
			Loads:    loads, Rounds: 3, Chunks: 1, Calls: 10,
		},
		Rounds: map[string]map[string][]Sample{
			"u": {
				Bare:                      {sample(10*us, 50, 0), sample(40*us, 50, 0), sample(20*us, 50, 0)},
				BareAgain:                 {sample(10*us, 50, 0), sample(40*us, 49, 0), sample(20*us, 50, 0)},
				GRPCX:                     {sample(11*us, 53, 0), sample(48*us, 53, 0), sample(20*us, 53, 0)},
				grpcxWithout + "recovery": {sample(10*us, 52, 0), sample(40*us, 52, 0), sample(20*us, 52, 0)},
				"peer":                    {sample(20*us, 150, 0), sample(80*us, 150, 0), sample(50*us, 150, 0)},
			},
			"p": {
				Bare:                      {sample(10*us, 50, 0, us, 3*us, 2*us)},
				BareAgain:                 {sample(10*us, 50, 0, us, 3*us, 2*us)},
				GRPCX:                     {sample(10*us, 50, 0, 5*us, 4*us, 6*us)},
				grpcxWithout + "recovery": {sample(10*us, 50, 0, us)},
				"peer":                    {sample(10*us, 50, 0, us)},
			},
			"i": {
				Bare:                      {sample(1, 1, 10<<10)},
				BareAgain:                 {sample(1, 1, 10<<10)},
				GRPCX:                     {sample(1, 1, 12<<10)},
				grpcxWithout + "recovery": {sample(1, 1, 12<<10)},
				"peer":                    {sample(1, 1, 20<<10)},
			},
		},
	}
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	assert.NoError(t, fixture().WriteMarkdown(&b))
	_, tables, _ := strings.Cut(b.String(), "\n\n")
	assert.Equal(t, tables, ""+
		"| Unary | allocs/RPC | B/RPC | CPU µs/RPC | CPU x bare |\n"+
		"| --- | ---: | ---: | ---: | ---: |\n"+
		"| bare | 50.0 | 500 | 20.0 | 1.00 (1.00–1.00) |\n"+
		"| bare again | 50.0 (+0.0) | 500 (+0) | 20.0 | 1.00 (1.00–1.00) |\n"+
		"| grpcx | 53.0 (+3.0) | 530 (+30) | 20.0 | 1.10 (1.00–1.20) |\n"+
		"| grpcx without recovery | 52.0 (+2.0) | 520 (+20) | 20.0 | 1.00 (1.00–1.00) |\n"+
		"| peer | 150.0 (+100.0) | 1500 (+1000) | 50.0 | 2.00 (2.00–2.50) |\n"+
		"\n"+
		"| Paced | allocs/RPC | B/RPC | CPU µs/RPC | CPU x bare | p50 µs | p99 µs |\n"+
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"+
		"| bare | 50.0 | 500 | 10.0 | 1.00 (1.00–1.00) | 2.0 | 3.0 |\n"+
		"| bare again | 50.0 (+0.0) | 500 (+0) | 10.0 | 1.00 (1.00–1.00) | 2.0 | 3.0 |\n"+
		"| grpcx | 50.0 (+0.0) | 500 (+0) | 10.0 | 1.00 (1.00–1.00) | 5.0 | 6.0 |\n"+
		"| grpcx without recovery | 50.0 (+0.0) | 500 (+0) | 10.0 | 1.00 (1.00–1.00) | 1.0 | 1.0 |\n"+
		"| peer | 50.0 (+0.0) | 500 (+0) | 10.0 | 1.00 (1.00–1.00) | 1.0 | 1.0 |\n"+
		"\n"+
		"| Idle | KiB/connection | x bare |\n"+
		"| --- | ---: | ---: |\n"+
		"| bare | 10.0 | 1.00 (1.00–1.00) |\n"+
		"| bare again | 10.0 (+0.0) | 1.00 (1.00–1.00) |\n"+
		"| grpcx | 12.0 (+2.0) | 1.20 (1.20–1.20) |\n"+
		"| grpcx without recovery | 12.0 (+2.0) | 1.20 (1.20–1.20) |\n"+
		"| peer | 20.0 (+10.0) | 2.00 (2.00–2.00) |\n"+
		"\n"+
		"| compared | load | allocs | B | CPU ratio |\n"+
		"| --- | --- | ---: | ---: | ---: |\n"+
		"| recovery, on to off | u | +1.0 | +10 | 1.10 (1.00–1.20) |\n"+
		"| recovery, on to off | p | +0.0 | +0 | 1.00 (1.00–1.00) |\n")
}

func TestComparisons(t *testing.T) {
	assert.Equal(t, comparisons([]string{Bare, BareWorkers, GRPCX, GRPCXNoWorkers}), []comparison{
		{"grpcx, workers off on both sides", GRPCXNoWorkers, Bare},
		{"grpcx, the same workers on both sides", GRPCX, BareWorkers},
		{"stream workers, on to off", GRPCX, GRPCXNoWorkers},
	})
	assert.Equal(t, len(comparisons([]string{Bare, "peer"})), 0)
}

func TestPlot(t *testing.T) {
	r := fixture()
	r.Config.Programs[1].Stacks = []string{"peer"}
	var b strings.Builder
	assert.NoError(t, r.WriteSVG(&b, r.Config.Loads[0]))
	// The axis goes from 0 to 2.5 in steps of 0.5, 176 pixels to the unit.
	assert.Contains(t, b.String(),
		`>Unary: server CPU per RPC, bare grpc-go = 1</text>`,
		`<line x1="690.0" y1="34" x2="690.0" y2="144" stroke="#eee"/><text x="690.0" y="160" text-anchor="middle" fill="#555">2.5</text>`,
		`<line x1="426.0" y1="34" x2="426.0" y2="144" stroke="#888" stroke-dasharray="4 3"/>`,
		`<rect x="426.0" y="34" width="0.0" height="110" fill="#ddd"/>`, // bare again did not differ
		`>grpcx</text><rect x="250" y="83" width="193.6" height="12" fill="#0b6e4f"/><line x1="426.0" y1="89" x2="461.2" y2="89" stroke="#222"/><text x="467.2" y="93">1.10</text>`,
		`>peer</text><rect x="250" y="127" width="352.0" height="12" fill="#c98a3d"/>`)
	assert.NotContains(t, b.String(), ">3</text>")
}

func TestPlotEscapes(t *testing.T) {
	c := chart{title: "a < b", bars: []bar{{"x & y", spread{1, 1, 1}}}}
	assert.Contains(t, c.svg(), "a &lt; b", "x &amp; y")
}

func TestTick(t *testing.T) {
	for top, want := range map[float64]float64{0.5: 0.1, 1: 0.2, 1.2: 0.2, 2.5: 0.5, 9: 2, 70: 10} {
		assert.True(t, tick(top) > want*0.999 && tick(top) < want*1.001)
	}
}

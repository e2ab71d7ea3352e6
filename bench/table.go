package bench

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"

	"google.golang.org/grpc"
)

// WriteMarkdown writes what was measured on, a table per load, and a table of
// the comparisons between stacks of this SDK.
func (r *Result) WriteMarkdown(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s, %d CPUs, GOMAXPROCS %d, %s, grpc-go %s. ",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.Version(), grpc.Version)
	fmt.Fprintf(&b, "%s of %s for each server, a chunk of %d unary calls; %d connections with %d calls in flight each. Medians over the rounds, and minimum to maximum in brackets.\n",
		count(r.Config.Rounds, "round"), count(r.Config.Chunks, "chunk"), r.Config.Calls, connections, inFlight)
	for _, l := range r.Config.Loads {
		c := columnsOf(l)
		heads := make([]string, len(c))
		for i := range c {
			heads[i] = c[i].head
		}
		fmt.Fprintf(&b, "\n| %s | %s |\n| --- |%s\n", l.Title, strings.Join(heads, " | "), strings.Repeat(" ---: |", len(c)))
		for _, name := range r.Config.stacks() {
			fmt.Fprintf(&b, "| %s |", name)
			for i := range c {
				fmt.Fprintf(&b, " %s |", c[i].cell(r.Rounds[l.Name][name], r.Rounds[l.Name][Bare], name == Bare))
			}
			b.WriteString("\n")
		}
	}
	r.writeComparisons(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// column is one of a load's table.
type column struct {
	head string
	cell func(samples, bare []Sample, isBare bool) string
}

func columnsOf(l Load) []column {
	if l.memory {
		kib := func(s Sample) float64 { return s.InUsePerCall() / (1 << 10) }
		return []column{{"KiB/" + l.Unit, over(kib, 1)}, {"x bare", ratioOf(kib)}}
	}
	columns := []column{
		{"allocs/" + l.Unit, over(Sample.AllocsPerCall, 1)},
		{"B/" + l.Unit, over(Sample.BytesPerCall, 0)},
		{"CPU µs/" + l.Unit, alone(func(s Sample) float64 { return s.CPUPerCall() / 1e3 })},
		{"CPU x bare", ratioOf(Sample.CPUPerCall)},
	}
	if l.paced {
		columns = append(columns,
			column{"p50 µs", alone(func(s Sample) float64 { return s.Latency(0.5) })},
			column{"p99 µs", alone(func(s Sample) float64 { return s.Latency(0.99) })})
	}
	return columns
}

// over shows a value and what it has over the bare server.
func over(value func(Sample) float64, digits int) func([]Sample, []Sample, bool) string {
	return func(samples, bare []Sample, isBare bool) string {
		v := summarize(samples, value).median
		text := fmt.Sprintf("%.*f", digits, v)
		if isBare {
			return text
		}
		return fmt.Sprintf("%s (%s)", text, signed(v-summarize(bare, value).median, digits))
	}
}

// signed has no -0.
func signed(v float64, digits int) string {
	scale := math.Pow10(digits)
	return fmt.Sprintf("%+.*f", digits, math.Round(v*scale)/scale+0)
}

func alone(value func(Sample) float64) func([]Sample, []Sample, bool) string {
	return func(samples, _ []Sample, _ bool) string {
		return fmt.Sprintf("%.1f", summarize(samples, value).median)
	}
}

func ratioOf(value func(Sample) float64) func([]Sample, []Sample, bool) string {
	return func(samples, bare []Sample, _ bool) string { return ratios(samples, bare, value).String() }
}

// String is for ratios.
func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.min, s.max) }

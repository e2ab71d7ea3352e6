package bench

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"

	"google.golang.org/grpc"
)

// WriteMarkdown writes the result as a table per workload, below what it was
// measured on.
func (r *Result) WriteMarkdown(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s, %d CPUs, GOMAXPROCS %d, %s, grpc-go %s. ",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.Version(), grpc.Version)
	fmt.Fprintf(&b, "%d rounds of %d chunks of %d calls for each server; %d connections with %d calls in flight each; a chunk of the stream has %d times as many messages.\n",
		r.Config.Rounds, r.Config.Chunks, r.Config.Calls, connections, inFlight, messagesPerCall)
	for _, w := range Workloads() {
		fmt.Fprintf(&b, "\n| %s | allocs/%[2]s | B/%[2]s | CPU µs/%[2]s | CPU x bare |\n", w.Name, w.Unit)
		b.WriteString("| --- | ---: | ---: | ---: | ---: |\n")
		for _, s := range stacks {
			r.writeRow(&b, r.Rounds[w.Name], s.name)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *Result) writeRow(b *strings.Builder, rounds map[string][]Sample, name string) {
	samples, bare := rounds[name], rounds[Bare]
	over := func(value func(Sample) float64, digits int) string {
		v := summarize(samples, value).median
		text := fmt.Sprintf("%.*f", digits, v)
		if name == Bare {
			return text
		}
		scale := math.Pow10(digits)
		diff := math.Round((v-summarize(bare, value).median)*scale)/scale + 0 // no -0
		return fmt.Sprintf("%s (%+.*f)", text, digits, diff)
	}
	ratios := make([]float64, len(samples))
	for i := range samples {
		ratios[i] = samples[i].CPUPerCall() / bare[i].CPUPerCall()
	}
	ratio := spreadOf(ratios)
	fmt.Fprintf(b, "| %s | %s | %s | %.1f | %.2f (%.2f–%.2f) |\n", name,
		over(Sample.AllocsPerCall, 1), over(Sample.BytesPerCall, 0),
		summarize(samples, Sample.CPUPerCall).median/1e3, ratio.median, ratio.min, ratio.max)
}

// spread is what a table shows of the values of several rounds.
type spread struct{ median, min, max float64 }

func summarize(samples []Sample, value func(Sample) float64) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	return spreadOf(values)
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

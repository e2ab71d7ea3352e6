package bench

import (
	"fmt"
	"slices"
	"strings"
)

// comparison is of one stack with another that is not the bare one.
type comparison struct{ title, stack, base string }

// comparisons are like with like, and each feature on with the same off.
func comparisons(stacks []string) []comparison {
	list := []comparison{
		{"grpcx, workers off on both sides", GRPCXNoWorkers, Bare},
		{"grpcx, the same workers on both sides", GRPCX, BareWorkers},
	}
	for _, name := range stacks {
		if feature, ok := strings.CutPrefix(name, grpcxWithout); ok {
			list = append(list, comparison{feature + ", on to off", GRPCX, name})
		}
	}
	return slices.DeleteFunc(list, func(c comparison) bool {
		return !slices.Contains(stacks, c.stack) || !slices.Contains(stacks, c.base)
	})
}

// writeComparisons writes a row for each comparison and load. Ratios are of
// the same round.
func (r *Result) writeComparisons(b *strings.Builder) {
	list := comparisons(r.Config.stacks())
	if len(list) == 0 {
		return
	}
	b.WriteString("\n| compared | load | allocs | B | CPU ratio |\n| --- | --- | ---: | ---: | ---: |\n")
	for _, c := range list {
		for _, l := range r.Config.Loads {
			if l.memory {
				continue
			}
			samples, base := r.Rounds[l.Name][c.stack], r.Rounds[l.Name][c.base]
			more := func(value func(Sample) float64, digits int) string {
				return signed(summarize(samples, value).median-summarize(base, value).median, digits)
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", c.title, l.Name,
				more(Sample.AllocsPerCall, 1), more(Sample.BytesPerCall, 0), ratios(samples, base, Sample.CPUPerCall))
		}
	}
}

package bench

import "slices"

// spread is what a table shows of the values of several rounds.
type spread struct{ median, min, max float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

func summarize(samples []Sample, value func(Sample) float64) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	return spreadOf(values)
}

// ratios divides round by round: what slowed a whole round down does not count.
func ratios(samples, base []Sample, value func(Sample) float64) spread {
	values := make([]float64, min(len(samples), len(base)))
	for i := range values {
		values[i] = value(samples[i]) / value(base[i])
	}
	return spreadOf(values)
}

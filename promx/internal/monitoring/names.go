package monitoring

import (
	"fmt"
	"regexp"

	"github.com/prometheus/otlptranslator"
)

// Prometheus is the instrument's name there, without what histograms add.
func (i Instrument) Prometheus() string {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	kinds := map[Kind]otlptranslator.MetricType{
		Counter:       otlptranslator.MetricTypeMonotonicCounter,
		UpDownCounter: otlptranslator.MetricTypeNonMonotonicCounter,
		Gauge:         otlptranslator.MetricTypeGauge,
		Histogram:     otlptranslator.MetricTypeHistogram,
	}
	name, err := namer.Build(otlptranslator.Metric{Name: i.Name, Unit: i.Unit, Type: kinds[i.Kind]})
	if err != nil {
		return fmt.Sprintf("%%!(%v)", err) // the golden files show it
	}
	return name
}

var placeholder = regexp.MustCompile(`<([a-z0-9_.]+)>`)

// PromQL writes an expression with the names of Prometheus. In ours each
// instrument is its name in angle brackets. One that is not in the table stays
// as it is, which no reader of PromQL accepts.
func PromQL(expr string) string {
	return placeholder.ReplaceAllStringFunc(expr, func(s string) string {
		for _, i := range Instruments() {
			if "<"+i.Name+">" == s {
				return i.Prometheus()
			}
		}
		return s
	})
}

package otlpx

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// fixMetrics repairs the attributes of what the periodic reader collected for
// this export alone.
func fixMetrics(data *metricdata.ResourceMetrics) {
	for i := range data.ScopeMetrics {
		all := data.ScopeMetrics[i].Metrics
		for j := range all {
			fixAggregation(all[j].Data)
		}
	}
}

func fixAggregation(data metricdata.Aggregation) {
	switch data := data.(type) {
	case metricdata.Gauge[int64]:
		fixPoints(data.DataPoints)
	case metricdata.Gauge[float64]:
		fixPoints(data.DataPoints)
	case metricdata.Sum[int64]:
		fixPoints(data.DataPoints)
	case metricdata.Sum[float64]:
		fixPoints(data.DataPoints)
	case metricdata.Histogram[int64]:
		fixHistogram(data.DataPoints)
	case metricdata.Histogram[float64]:
		fixHistogram(data.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		fixExponential(data.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		fixExponential(data.DataPoints)
	}
}

func fixPoints[N int64 | float64](points []metricdata.DataPoint[N]) {
	for i := range points {
		points[i].Attributes = fixSet(points[i].Attributes)
		fixExemplars(points[i].Exemplars)
	}
}

func fixHistogram[N int64 | float64](points []metricdata.HistogramDataPoint[N]) {
	for i := range points {
		points[i].Attributes = fixSet(points[i].Attributes)
		fixExemplars(points[i].Exemplars)
	}
}

func fixExponential[N int64 | float64](points []metricdata.ExponentialHistogramDataPoint[N]) {
	for i := range points {
		points[i].Attributes = fixSet(points[i].Attributes)
		fixExemplars(points[i].Exemplars)
	}
}

func fixExemplars[N int64 | float64](exemplars []metricdata.Exemplar[N]) {
	for i := range exemplars {
		exemplars[i].FilteredAttributes, _ = fixAll(exemplars[i].FilteredAttributes, fixAttr)
	}
}

func fixSet(set attribute.Set) attribute.Set {
	wrong := false
	for iter := set.Iter(); iter.Next() && !wrong; {
		_, wrong = fixAttr(iter.Attribute())
	}
	if !wrong {
		return set
	}
	attrs, _ := fixAll(set.ToSlice(), fixAttr)
	return attribute.NewSet(attrs...)
}

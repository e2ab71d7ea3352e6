package otlpx

import (
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// textLimit bounds a text, so that a queue is bounded whatever callers make a
// program log: the SDK bounds the number of items and attributes only.
const textLimit = 16 << 10

// limitSpans bounds attributes, and limitLogs those of records, where no variable
// of OpenTelemetry does.
func limitSpans(env *environ) []sdktrace.TracerProviderOption {
	if value, _ := env.first("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"); value != "" {
		return nil
	}
	limits := sdktrace.NewSpanLimits() // with the other variables
	limits.AttributeValueLengthLimit = textLimit
	return []sdktrace.TracerProviderOption{sdktrace.WithRawSpanLimits(limits)}
}

func limitLogs(env *environ) []sdklog.LoggerProviderOption {
	if value, _ := env.first("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"); value != "" {
		return nil
	}
	return []sdklog.LoggerProviderOption{sdklog.WithAttributeValueLengthLimit(textLimit)}
}

// limitBody bounds the text of a line, to which no limit of the SDK applies.
func limitBody(r *sdklog.Record) {
	if body := r.Body(); body.Type() == attribute.STRING && len(body.AsString()) > textLimit {
		r.SetBody(attribute.StringValue(cutText(body.AsString(), textLimit)))
	}
}

// cutText is the beginning of s, at most n bytes of whole characters.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

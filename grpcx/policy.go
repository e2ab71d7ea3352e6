package grpcx

import (
	"context"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"
)

// Policy is what [WithMethods] sets for methods. A zero field leaves the
// default, or what an earlier policy set.
type Policy struct {
	// Timeout bounds each call: a call without a deadline, or with a later one,
	// gets this one. When it passes, the handler's context ends and the client
	// is told DeadlineExceeded at once, even if the handler does not return.
	// Default none; negative is none, where an earlier policy set one.
	Timeout time.Duration
	// Log says which calls the access log shows. Default [LogErrors] for the
	// services of the program, [LogNone] for health and reflection.
	Log LogMode
	// LogSlow makes [LogErrors] show calls that took at least this long, too.
	// For a stream that is its whole life. Default none; negative is none, where
	// an earlier policy set one.
	LogSlow time.Duration
	// LogSample makes [LogErrors] show this share of the other calls, too, from
	// 0 to 1, chosen at random. Default none; negative is none, where an earlier
	// policy set one.
	LogSample float64
	// Spans says whether calls get a span. Default yes for the services of the
	// program, no for health and reflection. Metrics are recorded either way.
	Spans SpanMode
}

// SpanMode says whether the calls of a method get a span.
type SpanMode uint8

const (
	// SpansDefault leaves the default, or what an earlier policy set.
	SpansDefault SpanMode = iota
	// SpansOn starts a span for each call, which the sampler may drop.
	SpansOn
	// SpansOff starts none. The caller's trace still reaches the handler.
	SpansOff
)

// String returns the mode's name.
func (m SpanMode) String() string {
	switch m {
	case SpansOn:
		return "on"
	case SpansOff:
		return "off"
	default:
		return "default"
	}
}

// LogMode says which calls of a method the access log shows.
type LogMode uint8

const (
	// LogDefault leaves the default, or what an earlier policy set.
	LogDefault LogMode = iota
	// LogErrors logs the calls that the server answered with Unknown,
	// DeadlineExceeded, Unimplemented, Internal, Unavailable or DataLoss: the
	// codes that OpenTelemetry counts as errors of a server.
	LogErrors
	// LogAll logs every call.
	LogAll
	// LogNone logs no call. Panics are logged all the same.
	LogNone
)

// String returns the mode's name.
func (m LogMode) String() string {
	switch m {
	case LogErrors:
		return "errors"
	case LogAll:
		return "all"
	case LogNone:
		return "none"
	default:
		return "default"
	}
}

func (p Policy) check() error {
	if p.Log > LogNone {
		return optionErrorf("WithMethods", "Log", "is %d; use LogErrors, LogAll or LogNone", p.Log)
	}
	if !(p.LogSample <= 1) { // or NaN
		return optionErrorf("WithMethods", "LogSample", "is %v; use a share from 0 to 1, such as 0.01", p.LogSample)
	}
	if p.Spans > SpansOff {
		return optionErrorf("WithMethods", "Spans", "is %d; use SpansOn or SpansOff", p.Spans)
	}
	return nil
}

type methodPolicy struct {
	match  selector.Matcher
	policy Policy
}

// policyOf merges the policies whose matcher takes the method. A matcher that
// panics is the program's mistake and surfaces where the service is registered.
func policyOf(policies []methodPolicy, fullMethod string, info *grpc.StreamServerInfo) Policy {
	var p Policy
	meta := interceptors.NewServerCallMeta(fullMethod, info, nil)
	for _, mp := range policies {
		if mp.match.Match(context.Background(), meta) {
			merge(&p, mp.policy)
		}
	}
	return p
}

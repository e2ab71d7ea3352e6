package otlpx

import (
	"context"
	"errors"
	"net"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Option changes what [New] sets up beyond what the variables of the environment
// say. Options come from the With functions of this package only.
type Option interface {
	apply(*config) error
}

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

var errNilOption = errors.New("otlpx: an option is nil; leave it out")

// WithMetricReader adds a reader to the meter provider, beside the one that
// exports: for Prometheus, or for a test. The server shuts it down when it stops.
// It is read with OTEL_METRICS_EXPORTER=none too.
func WithMetricReader(reader sdkmetric.Reader) Option {
	return option(func(c *config) error {
		if reader == nil {
			return errors.New("otlpx: WithMetricReader: the reader is nil; leave the option out")
		}
		c.readers = append(c.readers, reader)
		return nil
	})
}

// WithGlobal also makes the providers and the propagator OpenTelemetry's global
// ones while the server serves, for libraries that know no others, such as
// clients of databases. It is for a program with one server. What was global
// before is so again when the server has stopped.
func WithGlobal() Option {
	return option(func(c *config) error {
		c.global = true
		return nil
	})
}

// dialFunc connects to a collector.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

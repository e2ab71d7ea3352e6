package otlpx

import (
	"context"
	"net"

	"go.opentelemetry.io/otel/attribute"
)

// WithDialer connects to the collector without a network.
func WithDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return option(func(c *config) error {
		c.dial = dial
		return nil
	})
}

// CheckEnvironment is what Serve does with the variables first.
func CheckEnvironment(getenv func(string) string) error {
	_, err := newConfig(getenv, nil)
	return err
}

// Endpoints returns where the signals go.
func Endpoints(getenv func(string) string) map[string]string {
	c, _ := newConfig(getenv, nil)
	found := map[string]string{}
	for k, t := range c.targets {
		found[string(k)] = t.protocol + " " + t.endpoint.text
	}
	return found
}

var (
	Kubernetes  = kubernetes
	CommandName = commandName
	HostArch    = hostArch
	FixValue    = func(v attribute.Value) attribute.Value { v, _ = fixValue(v); return v }
)

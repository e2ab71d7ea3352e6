package grpcx

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc/metadata"
)

// incoming reads the request metadata of a context by key, without copying all
// of it.
type incoming struct{ ctx context.Context }

var _ propagation.ValuesGetter = incoming{}

// Get returns the first value of a key.
func (c incoming) Get(key string) string {
	if values := metadata.ValueFromIncomingContext(c.ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values returns all values of a key.
func (c incoming) Values(key string) []string {
	return metadata.ValueFromIncomingContext(c.ctx, key)
}

// Set does nothing: a server only reads.
func (incoming) Set(string, string) {}

// Keys returns all keys. No propagator of OpenTelemetry asks for them.
func (c incoming) Keys() []string {
	md, _ := metadata.FromIncomingContext(c.ctx)
	keys := make([]string, 0, len(md))
	for key := range md {
		keys = append(keys, key)
	}
	return keys
}

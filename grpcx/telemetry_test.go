package grpcx_test

import (
	"testing"

	"go.opentelemetry.io/otel"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// What needs an SDK, which this module does not depend on, is tested in
// internal/parity: everything that is recorded, against otelgrpc.

// TestUnsetProviders pins the type by which a global provider that nobody set is
// told, so that it costs nothing.
func TestUnsetProviders(t *testing.T) {
	assert.True(t, grpcx.IsUnset(otel.GetTracerProvider()), "the global tracer provider has another type")
	assert.True(t, grpcx.IsUnset(otel.GetMeterProvider()), "the global meter provider has another type")
	assert.Equal(t, len(otel.GetTextMapPropagator().Fields()), 0)
}

func TestWrongTelemetry(t *testing.T) {
	for key, want := range map[string]string{"": "request header", ":path": "request header", "token-bin": "binary"} {
		_, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithTelemetry(grpcx.Telemetry{RequestMetadata: []string{key}}))
		assert.ErrorContains(t, err, "WithTelemetry.RequestMetadata", want)
	}
	_, err := grpcx.Instrument(grpc.NewServer(), grpcx.WithTelemetry(grpcx.Telemetry{RequestMetadata: []string{""}}))
	assert.ErrorContains(t, err, "WithTelemetry.RequestMetadata")
}

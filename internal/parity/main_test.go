package parity_test

import (
	"testing"

	"go.opentelemetry.io/otel"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // of the baggage that callers get wrong
	leak.Main(m)
}

package otlpx_test

import (
	"testing"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

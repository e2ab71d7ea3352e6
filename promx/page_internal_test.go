package promx

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpcx-go/sdk/internal/assert"
)

type hanging chan struct{}

func (hanging) Describe(chan<- *prometheus.Desc)   {}
func (h hanging) Collect(chan<- prometheus.Metric) { <-h }

// Nobody waits for a collector that hangs.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(hanging)
		defer close(leave)
		registry := prometheus.NewRegistry()
		registry.MustRegister(leave)
		e, err := newExporter([]Option{WithRegistry(registry, registry)})
		assert.NoError(t, err)
		begin := time.Now()
		w := httptest.NewRecorder()
		e.handler(func() *slog.Logger { return slog.New(slog.DiscardHandler) }).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		assert.Equal(t, w.Code, http.StatusServiceUnavailable)
		assert.Equal(t, time.Since(begin), 10*time.Second)
	})
}

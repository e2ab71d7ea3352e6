package promx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
)

const (
	path = "/metrics"
	// maxRequests bounds what a collector of the program that hangs can hold,
	// and what many readers cost.
	maxRequests = 8
	// maxTime is Prometheus's own default.
	maxTime = 10 * time.Second

	// abandoned is the instrument that nobody would see without a last scrape.
	abandoned = "grpcx.drain.abandoned"
)

// exporter is a reader and the pages that show what it reads.
type exporter struct {
	config

	reader sdkmetric.Reader
	stop   func(context.Context) error // of the provider; nil: it is somebody else's

	registered atomic.Bool   // the reader is known to have a provider
	scraped    chan struct{} // has room for one: somebody saw that calls were abandoned
}

// serve adds the page to a server, and what happens at the server's end.
func (e *exporter) serve(s *grpcx.Setup) error {
	s.OnStop("promx", e.end)
	if e.gatherer == nil {
		return nil
	}
	if s.Settings().AdminAddr == "" {
		return errors.New(`promx: the metrics are served on the admin listener, and there is none; add grpcx.WithAdminAddr("localhost:6060"), or have the program serve its own registry: promx.WithRegistry(registry, nil)`)
	}
	s.HandleAdmin(path, &page{e, s.Health(), e.handler(s.Logger)})
	return nil
}

// handler serves what the gatherer has, within the limits.
func (e *exporter) handler(log func() *slog.Logger) http.Handler {
	opts := promhttp.HandlerOpts{
		ErrorLog:            &errorLog{log: log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxRequests,
		Timeout:             maxTime,
		EnableOpenMetrics:   true,
	}
	if e.owned {
		opts.Registry = e.registerer // counts errors; twice the same is no error
	}
	return promhttp.HandlerFor(e.gatherer, opts)
}

// end waits for somebody to see that calls were abandoned, then ends the metrics.
func (e *exporter) end(ctx context.Context) error {
	if e.gatherer != nil && e.abandoned(ctx) {
		select {
		case <-e.scraped:
		case <-ctx.Done():
		}
	}
	if e.stop == nil {
		return nil
	}
	if err := e.stop(ctx); err != nil && !errors.Is(err, sdkmetric.ErrReaderShutdown) {
		return fmt.Errorf("promx: %w", err)
	}
	return nil
}

func (e *exporter) abandoned(ctx context.Context) bool {
	var all metricdata.ResourceMetrics
	if err := e.reader.Collect(ctx, &all); err != nil {
		return false
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == abandoned {
				for _, p := range sum.DataPoints {
					if p.Value > 0 {
						return true
					}
				}
			}
		}
	}
	return false
}

// isRegistered reports whether somebody gave the reader to a provider.
func (e *exporter) isRegistered(ctx context.Context) bool {
	if !e.registered.Load() {
		err := e.reader.Collect(ctx, new(metricdata.ResourceMetrics))
		e.registered.Store(!errors.Is(err, sdkmetric.ErrReaderNotRegistered))
	}
	return e.registered.Load()
}

// page answers requests.
type page struct {
	*exporter

	health  *healthx.Registry
	metrics http.Handler
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.isRegistered(r.Context()) {
		http.Error(w, "the reader of promx.NewReader belongs to no meter provider; give it to sdkmetric.WithReader or to otlpx.WithMetricReader", http.StatusInternalServerError)
		return
	}
	if !p.health.Report().Draining || !p.abandoned(r.Context()) {
		p.metrics.ServeHTTP(w, r)
		return
	}
	// The listener may be closed once this answer is reported: it has to be out.
	var whole answer
	p.metrics.ServeHTTP(&whole, r)
	whole.send(w)
	select {
	case p.scraped <- struct{}{}:
	default:
	}
}

// answer keeps a response until it is complete.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header())
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	if a.code != 0 {
		w.WriteHeader(a.code)
	}
	_, _ = w.Write(a.body.Bytes())
	_ = http.NewResponseController(w).Flush()
}

// errorLog logs what goes wrong in a scrape once, and again when it changes.
type errorLog struct {
	log func() *slog.Logger

	mu   sync.Mutex
	said string
}

func (l *errorLog) Println(v ...any) {
	text := strings.TrimSpace(fmt.Sprintln(v...))
	l.mu.Lock()
	defer l.mu.Unlock()
	if text != l.said {
		l.said = text
		l.log().Warn("promx: metrics are missing on the page", slog.String("error", text))
	}
}

package grpcx

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/grpcx-go/sdk/healthx"
)

// observeHealth makes what probes are told, and why, be read by a meter.
func (s *Server) observeHealth(o *observables) {
	o.level("grpcx.health.ready", "1", "1 while readiness is SERVING, else 0.",
		func(report func(int64, ...attribute.KeyValue)) {
			status, _ := s.health.Status(healthx.Readiness)
			report(oneIf(status == healthx.Serving))
		})
	o.level("grpcx.health.check.passing", "1", "1 while the health check passes, else 0. One that has no result yet is left out.",
		func(report func(int64, ...attribute.KeyValue)) {
			for _, c := range s.health.Report().Checks {
				if c.State != healthx.CheckPending {
					report(oneIf(c.State == healthx.CheckPassing), attribute.String("grpcx.check", c.Name))
				}
			}
		})
}

func oneIf(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

package grpcx

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/runtimex"
	"github.com/grpcx-go/sdk/tlsx"
)

// The health checks of the server itself. WithCheck refuses their names.
const (
	certificateCheck = "tls-certificate"
	renewalCheck     = "tls-certificate-renewal"
	collectorCheck   = "gc-pressure"
)

func (s *Server) addChecks() {
	for _, c := range s.cfg.checks {
		if slices.Contains([]string{certificateCheck, renewalCheck, collectorCheck}, c.name) {
			s.cfg.errs = append(s.cfg.errs, optionErrorf("WithCheck", c.name, "the server uses this name itself; choose another"))
			continue
		}
		if err := s.health.AddCheck(c.name, c.check, c.opts...); err != nil {
			s.cfg.errs = append(s.cfg.errs, &OptionError{Option: "WithCheck", Field: c.name, Err: err})
		}
	}
}

// addCertificateChecks makes readiness fail once the served certificate has
// expired, and an informational check well before. A reload that fails while
// the last good one is valid changes nothing.
func (s *Server) addCertificateChecks() {
	source := s.cfg.transport.source
	if source == nil {
		return
	}
	s.addOwnCheck(certificateCheck, func(context.Context) error {
		if end := source.Current().NotAfter(); time.Now().After(end) {
			return fmt.Errorf("the served certificate expired at %s; renew it", end.UTC().Format(time.RFC3339))
		}
		return nil
	})
	s.addOwnCheck(renewalCheck, func(context.Context) error {
		now := source.Current()
		if time.Now().After(renewalDue(now)) {
			return fmt.Errorf("the served certificate ends at %s and should have been renewed by now; see to what renews it", now.NotAfter().UTC().Format(time.RFC3339))
		}
		return nil
	}, healthx.Informational(), healthx.FailureThreshold(1))
}

// latestNotice is the most that a renewal is asked for ahead of the expiry.
const latestNotice = 30 * 24 * time.Hour

// renewalDue is when what renews certificates is late: cert-manager does so
// when a third of their life is left by default, SPIFFE agents at half of it.
func renewalDue(served *tlsx.Snapshot) time.Time {
	end := served.NotAfter()
	return end.Add(-min(end.Sub(served.Leaf().NotBefore)/4, latestNotice))
}

// noteCollector keeps what package runtimex says of the garbage collector.
func (s *Server) noteCollector(event runtimex.Event) {
	switch e := event.(type) {
	case runtimex.GCPressure:
		s.pressure.Store(&e)
	case runtimex.GCRelieved:
		s.pressure.Store(nil)
	}
}

// addCollectorCheck adds an informational check that fails while the garbage
// collector uses too much CPU. It looks as often as the guard does.
func (s *Server) addCollectorCheck() {
	s.addOwnCheck(collectorCheck, func(context.Context) error {
		if p := s.pressure.Load(); p != nil {
			return fmt.Errorf("since %s the garbage collector uses too much CPU, %.0f %% then; raise the memory limit, or hold less in memory",
				p.Time.UTC().Format(time.RFC3339), 100*p.Fraction)
		}
		return nil
	}, healthx.Informational(), healthx.FailureThreshold(1), healthx.Interval(time.Second))
}

// addOwnCheck adds a check whose name and options are right; the program may
// have taken the name with [healthx.Registry.AddCheck].
func (s *Server) addOwnCheck(name string, check func(context.Context) error, opts ...healthx.CheckOption) {
	if err := s.health.AddCheck(name, check, opts...); err != nil {
		s.logger().Error("grpcx: a health check of the server is missing", slog.Any("error", err))
	}
}

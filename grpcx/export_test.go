package grpcx

import (
	"context"
	"os"
)

// RunWithSignals is Run with injected signals: signal.Notify cannot be used
// inside a synctest bubble.
func (s *Server) RunWithSignals(ctx context.Context, signals <-chan os.Signal) error {
	return s.run(ctx, signals)
}

// Warnings are what Serve would warn of.
func (s *Server) Warnings() []string { return s.cfg.warnings }

// IsUnset lets a test pin the types of OpenTelemetry's own default providers.
var IsUnset = isUnset

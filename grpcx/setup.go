package grpcx

import (
	"context"
	"log/slog"
	"net/http"

	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/healthx"
)

// Setup is the server as a set-up hook sees it, before it serves. It is a
// [grpc.ServiceRegistrar]. See [WithSetup].
type Setup struct{ server *Server }

// RegisterService registers a service with the server.
func (s *Setup) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.server.RegisterService(desc, impl)
}

// Go runs a background task; see [Server.Go].
func (s *Setup) Go(name string, run func(context.Context) error) { s.server.Go(name, run) }

// OnStop adds a hook that runs when calls and tasks have ended, those added
// last first. Its context ends shortly before its share of Drain.Stop is used
// up, and at once when the drain is cut short; Serve does not wait for longer
// than the share. It runs whenever Serve got as far as the set-up hooks, also
// when a later step failed.
func (s *Setup) OnStop(name string, hook func(context.Context) error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.hooks = append(s.server.hooks, stopHook{name, hook})
}

// HandleAdmin serves a page on the admin listener, under its limits; see
// [WithAdminAddr]. The pattern is a path of [http.ServeMux], such as "/metrics",
// or "/things/" for all below it. Without an admin listener the page is not
// served, and nothing else changes. A pattern that is not a path, or is taken,
// and a nil handler make Serve fail; once the server serves, a page is refused,
// logged, and the refusal joined to Serve's error.
func (s *Setup) HandleAdmin(pattern string, handler http.Handler) {
	s.server.handleAdmin(pattern, handler)
}

// Health returns the server's health registry.
func (s *Setup) Health() *healthx.Registry { return s.server.health }

// Logger returns the server's logger.
func (s *Setup) Logger() *slog.Logger { return s.server.logger() }

// Settings returns the server's effective settings.
func (s *Setup) Settings() Settings { return s.server.Settings() }

type stopHook struct {
	name string
	run  func(context.Context) error
}

package grpcx

import (
	"log/slog"

	"github.com/grpcx-go/sdk/runtimex"
)

// tuneRuntime keeps the Go runtime in step with the limits of the control
// groups until the returned function is called. Where the program applied
// runtimex itself, with options of its own, those hold.
func (s *Server) tuneRuntime() (undo func()) {
	if s.cfg.without[RuntimeTuning] {
		return func() {}
	}
	c, err := runtimex.Apply(runtimex.WithLogger(s.cfg.log.following()), runtimex.WithObserver(s.noteCollector))
	if err != nil {
		// A server with the runtime's own settings is better than none.
		s.logger().Error("grpcx: the Go runtime is not tuned", slog.Any("error", err))
		return func() {}
	}
	s.tuning.Store(c)
	s.watchOnce.Do(s.addCollectorCheck)
	return c.Undo
}

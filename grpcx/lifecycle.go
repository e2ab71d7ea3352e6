package grpcx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// Run serves until ctx ends, SIGTERM or SIGINT arrives, Shutdown is called, or
// a task or listener fails, and returns when the drain is over. It owns the
// process: while it runs it takes over SIGTERM and SIGINT, and tunes the Go
// runtime to the limits of the control groups unless RuntimeTuning is switched
// off. It logs the effective settings. SIGINT skips Drain.Delay; a second
// signal cuts the drain short.
//
// It returns nil after a complete drain, the bind error when an address is in
// use, a [*DrainError] when something had to be abandoned, and the errors of
// tasks and of late registrations; several are joined.
func (s *Server) Run(ctx context.Context) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	defer s.tuneRuntime()()
	return s.run(ctx, signals)
}

func (s *Server) run(ctx context.Context, signals <-chan os.Signal) error {
	return s.serve(ctx, signals, nil)
}

// Serve is Run for a server that is a component of a larger program: it
// handles no signals and has no process-global effect. Given listeners are
// served beside those of the options, and are closed, whatever happens. Serve
// may be called once; after a Shutdown it returns nil at once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	return s.serve(ctx, nil, listeners)
}

// Shutdown starts the drain and waits for its end. When ctx ends first, it
// cuts the drain short, as a second signal does, and returns ctx's error
// without waiting further; Serve returns soon after. A server that has not
// served yet never will. Shutdown may be called at any time, any number of
// times, from any goroutine.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stop) })
	s.retire()
	select {
	case <-s.done:
		return nil
	default:
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.cutShort()
		return ctx.Err()
	}
}

// retire ends a server that was never served.
func (s *Server) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != phaseNew {
		return
	}
	s.phase = phaseRetired
	s.tasks.close()
	closeAll(s.cfg.listeners)
	if s.grpc != nil {
		s.grpc.Stop() // ends stream workers, if GRPC built some
	}
	close(s.done)
}

func (s *Server) cutShort() { s.hurryOnce.Do(func() { close(s.hurry) }) }

var errServedBefore = errors.New("grpcx: a server serves once; make a new one with New")

// serve is the whole life of a server. When a step fails, the ones before it
// are undone.
func (s *Server) serve(ctx context.Context, signals <-chan os.Signal, given []net.Listener) error {
	if ok, err := s.begin(); !ok {
		closeAll(given)
		return err
	}
	defer close(s.done)
	r := &run{Server: s, failed: make(chan error, 1)}
	defer r.endMetrics()
	err := r.prepare(ctx, given)
	if err != nil {
		return errors.Join(append([]error{err}, r.undo()...)...)
	}
	r.start(ctx)
	reason, skipDelay := r.wait(ctx, signals)
	s.logger().Info("grpcx: draining", slog.String("reason", reason))
	if err := r.drain(signals, skipDelay); err != nil {
		s.logger().Error("grpcx: stopped", slog.Any("error", err))
		return err
	}
	s.logger().Info("grpcx: stopped")
	return nil
}

// endMetrics makes the instruments of the server be read no longer.
func (r *run) endMetrics() {
	if r.unobserve == nil {
		return
	}
	if err := r.unobserve(); err != nil {
		r.logger().Error("grpcx: the metrics of the server are still registered", slog.Any("error", err))
	}
}

// begin claims the one life that a server has.
func (s *Server) begin() (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase {
	case phaseNew:
		s.phase = phaseStarting
		return true, nil
	case phaseRetired:
		return false, nil
	default:
		return false, errServedBefore
	}
}

func (s *Server) setPhase(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = p
}

// wait returns what ended the serving.
func (r *run) wait(ctx context.Context, signals <-chan os.Signal) (reason string, skipDelay bool) {
	select {
	case <-ctx.Done():
		return fmt.Sprintf("context ended: %v", context.Cause(ctx)), false
	case sig := <-signals:
		return "signal: " + sig.String(), sig == os.Interrupt
	case <-r.stop:
		return "Shutdown was called", false
	case err := <-r.tasks.failed:
		return err.Error(), false
	case err := <-r.failed:
		r.addLate(err)
		return err.Error(), false
	}
}

func (s *Server) addLate(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, err)
}

package grpcx

import (
	"context"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/runtimex"
)

// Server is a gRPC server with its lifecycle. Make one with [New], register
// services, then call [Server.Run] or [Server.Serve] once. All methods may be
// called from any goroutine at any time.
type Server struct {
	cfg    settings
	path   *callPath
	table  *connTable
	keeper *trustKeeper // nil for plaintext
	health *healthx.Registry
	pages  *adminPages
	tasks  taskGroup

	draining chan struct{} // closed when the drain begins
	done     chan struct{} // closed when Serve has returned, or never will serve

	stopOnce  sync.Once
	stop      chan struct{} // closed by the first Shutdown
	hurryOnce sync.Once
	hurry     chan struct{} // closed by what cuts the drain short

	mu       sync.Mutex
	phase    phase
	grpc     *grpc.Server
	buildErr error
	buffered []registration
	services map[string]bool // registered through us
	problems []error         // wrong registrations before Serve
	late     []error         // refused registrations and tasks since
	hooks    []stopHook

	addrs     []net.Addr
	probeAddr net.Addr
	adminAddr net.Addr

	tuning    atomic.Pointer[runtimex.Controller] // while Run tunes the runtime
	pressure  atomic.Pointer[runtimex.GCPressure] // while the collector uses too much CPU
	watchOnce sync.Once                           // of the check of the collector
}

type registration struct {
	desc *grpc.ServiceDesc
	impl any
}

type phase int

const (
	phaseNew phase = iota
	phaseStarting
	phaseServing
	phaseDraining
	phaseDone
	phaseRetired // by a Shutdown before Serve
)

// New makes a server from the options. It loads TLS files and validates
// everything, and it starts no goroutine, opens no listener and changes no
// global state. The error joins one [*OptionError] per problem.
func New(opts ...Option) (*Server, error) {
	var cfg settings
	cfg.applyAll(opts)
	cfg.given = printAll(opts)
	cfg.finish()
	cfg.loadTransport()
	cfg.checkProbes()

	s := &Server{
		cfg:      cfg,
		done:     make(chan struct{}),
		draining: make(chan struct{}),
		stop:     make(chan struct{}),
		hurry:    make(chan struct{}),
		services: map[string]bool{},
	}
	s.path = newCallPath(&s.cfg, s.logger)
	s.table = newConnTable(cfg.limits.MaxConnections, cfg.keepalive.Timeout, cfg.transport.source != nil, s.logger)
	s.path.table, s.path.drain = s.table, s.draining
	if source := cfg.transport.source; source != nil {
		s.keeper = newTrustKeeper(source, cfg.distrust, s.logger)
		s.path.keeper = s.keeper
	}
	s.health = healthx.NewRegistry(cfg.healthOptions()...)
	s.addChecks()
	s.addCertificateChecks()
	s.pages = newAdminPages(s)
	if err := tryServer(s.serverOptions()); err != nil {
		s.cfg.errs = append(s.cfg.errs, err)
	}
	if err := s.cfg.err(); err != nil {
		return nil, err
	}
	if !s.cfg.without[Health] {
		s.health.Register(s)
	}
	return s, nil
}

// RegisterService registers a service, as generated code does. It must come
// before Serve: a later one is refused, logged, and joined to Serve's error,
// and never stops the server. A wrong one makes Serve fail.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registerLocked(desc, impl)
}

func (s *Server) registerLocked(desc *grpc.ServiceDesc, impl any) {
	err := checkService(desc, impl, s.services)
	if err != nil && s.phase <= phaseStarting {
		s.problems = append(s.problems, err)
		return
	}
	if s.phase > phaseStarting {
		if err == nil {
			err = optionErrorf("RegisterService", desc.ServiceName, "the server is serving already; register before Run or Serve")
		}
		s.late = append(s.late, err)
		s.logger().Error("grpcx: registration refused", slog.Any("error", err))
		return
	}
	s.services[desc.ServiceName] = true
	woven := s.path.weave(desc, false)
	if s.grpc != nil {
		s.grpc.RegisterService(woven, impl)
	} else {
		s.buffered = append(s.buffered, registration{woven, impl})
	}
	if !isQuiet(desc.ServiceName) {
		s.health.AddService(desc.ServiceName)
	}
}

// checkService finds what makes grpc-go end the process.
func checkService(desc *grpc.ServiceDesc, impl any, registered map[string]bool) error {
	if desc == nil {
		return optionErrorf("RegisterService", "", "the service description is nil; pass the one in the generated code")
	}
	if registered[desc.ServiceName] {
		return optionErrorf("RegisterService", desc.ServiceName, "the service is registered twice; remove one")
	}
	if impl == nil || desc.HandlerType == nil {
		return nil
	}
	if want := reflect.TypeOf(desc.HandlerType).Elem(); !reflect.TypeOf(impl).Implements(want) {
		return optionErrorf("RegisterService", desc.ServiceName,
			"%T does not implement %v; implement its methods, or embed the generated Unimplemented server", impl, want)
	}
	return nil
}

// GetServiceInfo describes the registered services; reflection uses it.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grpc != nil {
		return s.grpc.GetServiceInfo()
	}
	infos := map[string]grpc.ServiceInfo{}
	for _, r := range s.buffered {
		info := grpc.ServiceInfo{Metadata: r.desc.Metadata}
		for _, m := range r.desc.Methods {
			info.Methods = append(info.Methods, grpc.MethodInfo{Name: m.MethodName})
		}
		for _, m := range r.desc.Streams {
			info.Methods = append(info.Methods, grpc.MethodInfo{
				Name: m.StreamName, IsClientStream: m.ClientStreams, IsServerStream: m.ServerStreams})
		}
		infos[r.desc.ServiceName] = info
	}
	return infos
}

// GRPC returns the grpc.Server underneath, for what this package does not
// wrap, and builds it if need be. Register services on the Server, not on it:
// Serve refuses services that bypassed recovery and policy.
func (s *Server) GRPC() *grpc.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buildLocked()
}

func (s *Server) buildLocked() *grpc.Server {
	if s.grpc == nil && s.buildErr == nil {
		if s.grpc, s.buildErr = newGRPC(s.serverOptions()); s.buildErr != nil {
			return nil
		}
		for _, r := range s.buffered {
			s.grpc.RegisterService(r.desc, r.impl)
		}
		s.buffered = nil
		if s.phase >= phaseDone {
			s.grpc.Stop() // ends its stream workers: it never serves
		}
	}
	return s.grpc
}

// bypassedLocked names the services that were registered on the grpc.Server
// directly.
func (s *Server) bypassedLocked() []error {
	var errs []error
	for name := range s.grpc.GetServiceInfo() {
		if !s.services[name] {
			errs = append(errs, optionErrorf("GRPC", name,
				"the service was registered on the grpc.Server directly, without recovery and policy; register it on the grpcx.Server"))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// Go runs a background task in the server's lifecycle: it starts with Serve
// (at once, when the server is serving) and its context ends after the calls
// in flight ended, tasks registered last first. A task that returns an error,
// or panics, makes the server drain, and Serve returns the error; one that
// returns nil is done. A task added once the drain began is refused.
func (s *Server) Go(name string, run func(context.Context) error) {
	if err := s.tasks.add(name, run); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late = append(s.late, err)
		s.logger().Error("grpcx: task refused", slog.Any("error", err))
	}
}

// Ready returns a channel that is closed when the server serves and readiness
// first turned SERVING: every required check has passed.
func (s *Server) Ready() <-chan struct{} { return s.health.Ready() }

// Done returns a channel that is closed when the drain is over.
func (s *Server) Done() <-chan struct{} { return s.done }

// Addrs returns the addresses served on, in the order of options and Serve's
// listeners; nil before Serve bound them.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.addrs)
}

// ProbeAddr returns the address of the probe listener; nil without one, and
// before Serve bound it.
func (s *Server) ProbeAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probeAddr
}

// AdminAddr returns the address of the admin listener; nil without one, and
// before Serve bound it.
func (s *Server) AdminAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.adminAddr
}

// Health returns the registry that the server's health service answers from.
func (s *Server) Health() *healthx.Registry { return s.health }

// logger returns the logger of the moment.
func (s *Server) logger() *slog.Logger { return s.cfg.log.current() }

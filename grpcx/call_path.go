package grpcx

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
)

// callPath is what every call of a server, or of an instrumented registrar,
// goes through. It is woven into the methods when a service is registered.
type callPath struct {
	log       func() *slog.Logger
	policies  []methodPolicy
	recover   bool
	accessLog bool
	first     *firstMessages  // nil when the timeout is off
	table     *connTable      // nil for an instrumented registrar
	keeper    *trustKeeper    // nil without TLS of a Server
	drain     <-chan struct{} // closed when the server drains; nil likewise
	telemetry *telemetry      // set before the first call; nil: nothing is recorded

	unknown    *method // for calls of methods that are not registered
	unknownLog rateLimit

	mu         sync.Mutex // held while registering
	registered atomic.Pointer[registry]
}

// registry is what is registered. It is replaced as a whole, so that calls
// read it without a lock.
type registry struct {
	methods  map[string]*method // by "/pkg.Service/Method"
	services map[string]bool
}

func newCallPath(cfg *settings, log func() *slog.Logger) *callPath {
	p := &callPath{
		log:       log,
		policies:  cfg.policies,
		recover:   !cfg.without[Recovery],
		accessLog: !cfg.without[AccessLog],
		unknown:   &method{name: unknownName, log: LogErrors},
	}
	p.registered.Store(&registry{methods: map[string]*method{}, services: map[string]bool{}})
	if cfg.limits.FirstMessageTimeout > 0 {
		p.first = newFirstMessages(cfg.limits.FirstMessageTimeout)
	}
	if !p.accessLog {
		p.unknown.log = LogNone
	}
	return p
}

// weave returns the description with every method going through the path.
// Unary methods stay unary: grpc-go hands the woven handler its interceptor
// chain, so the program's interceptors always run. Streams of a Server are
// caught by guard, outside every stream interceptor; those of an instrumented
// registrar by their woven handler.
func (p *callPath) weave(desc *grpc.ServiceDesc, streams bool) *grpc.ServiceDesc {
	woven := *desc
	woven.Methods = slices.Clone(desc.Methods)
	woven.Streams = slices.Clone(desc.Streams)
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.registered.Load()
	next := &registry{methods: maps.Clone(was.methods), services: maps.Clone(was.services)}
	next.services[desc.ServiceName] = true
	for i, d := range woven.Methods {
		m := p.newMethod(desc.ServiceName, d.MethodName, nil)
		next.methods["/"+m.name] = m
		woven.Methods[i].Handler = p.unary(m, d.Handler)
	}
	for i, d := range woven.Streams {
		m := p.newMethod(desc.ServiceName, d.StreamName, &grpc.StreamServerInfo{
			FullMethod:     "/" + desc.ServiceName + "/" + d.StreamName,
			IsClientStream: d.ClientStreams,
			IsServerStream: d.ServerStreams,
		})
		next.methods["/"+m.name] = m
		if streams {
			woven.Streams[i].Handler = p.stream(m, d.Handler)
		}
	}
	p.registered.Store(next)
	return &woven
}

// record makes calls be recorded. It is called before the first of them.
func (p *callPath) record(t *telemetry) {
	if t.idle() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.telemetry = t
	for _, m := range p.registered.Load().methods {
		m.telemetry = t.method(m)
	}
	p.unknown.telemetry = t.method(p.unknown)
}

// lookup finds a registered method, or the one for unknown names.
func (p *callPath) lookup(fullMethod string) *method {
	if m := p.registered.Load().methods[fullMethod]; m != nil {
		return m
	}
	return p.unknown
}

// all returns the registered methods and the one for unknown names, in no order.
func (p *callPath) all() []*method {
	return append(slices.Collect(maps.Values(p.registered.Load().methods)), p.unknown)
}

// running lists the methods with calls in flight, sorted.
func (p *callPath) running() []string {
	var names []string
	for _, m := range p.registered.Load().methods {
		if m.inFlight.Load() > 0 {
			names = append(names, m.name)
		}
	}
	if p.unknown.inFlight.Load() > 0 {
		names = append(names, p.unknown.name)
	}
	slices.Sort(names)
	return names
}

// abandon counts the calls in flight as given up, and lists their methods.
func (p *callPath) abandon() []string {
	for _, m := range p.all() {
		m.abandoned.Store(m.inFlight.Load())
	}
	return p.running()
}

// methodNames lists the registered methods, sorted.
func (p *callPath) methodNames() []string {
	return slices.Sorted(maps.Keys(p.registered.Load().methods))
}

// close ends what the path keeps besides the calls.
func (p *callPath) close() {
	if p.first != nil {
		p.first.close()
	}
}

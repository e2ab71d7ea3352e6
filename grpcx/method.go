package grpcx

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// method is everything about one registered method that is known before the
// first call. Handlers close over it, so a call looks nothing up.
type method struct {
	name     string // "pkg.Service/Method", as OpenTelemetry's rpc.method has it
	oneShot  bool   // takes exactly one request message
	timeout  time.Duration
	log      LogMode
	slow     time.Duration // to log; 0: none
	sample   float64       // to log
	noSpans  bool
	inFlight atomic.Int64

	abandoned atomic.Int64 // calls that the drain gave up on

	telemetry *methodTelemetry // nil as long as there is nothing to record to
}

// logsSuccess reports whether a call that succeeded may be in the log.
func (m *method) logsSuccess() bool { return m.log == LogAll || m.slow > 0 || m.sample > 0 }

// unknownName is the rpc.method of calls that no registered method takes.
const unknownName = "_OTHER"

// quietServices are the ones that probes and tools call: not in the access log
// unless a policy says so.
var quietServices = []string{"grpc.health.", "grpc.reflection.", "grpc.channelz."}

func isQuiet(service string) bool {
	return slices.ContainsFunc(quietServices, func(prefix string) bool { return strings.HasPrefix(service, prefix) })
}

// newMethod makes the state of a method; info is nil for a unary one.
func (p *callPath) newMethod(service, name string, info *grpc.StreamServerInfo) *method {
	m := &method{name: service + "/" + name, oneShot: info == nil || !info.IsClientStream, log: LogErrors}
	policy := policyOf(p.policies, "/"+m.name, info)
	if isQuiet(service) {
		m.log = LogNone
		m.noSpans = policy.Spans != SpansOn
	} else {
		m.noSpans = policy.Spans == SpansOff
	}
	if policy.Log != LogDefault {
		m.log = policy.Log
	}
	if !p.accessLog {
		m.log = LogNone
	}
	m.timeout = max(policy.Timeout, 0)
	if m.log == LogErrors {
		m.slow, m.sample = max(policy.LogSlow, 0), max(policy.LogSample, 0)
	}
	if p.telemetry != nil {
		m.telemetry = p.telemetry.method(m)
	}
	return m
}

package runtimex

import (
	"expvar"
	"runtime"
	"sync"
)

const (
	varRuntime = "grpcx.runtime"
	varProcs   = "go_gomaxprocs"
)

var publishOnce sync.Once

// publishVars publishes in package expvar, the first time that it is called:
//
//   - grpcx.runtime: what vars returns, as JSON
//   - go_gomaxprocs: GOMAXPROCS, a number
//
// A name that is taken stays with whoever took it. Nothing can be unpublished:
// vars has to make do without a controller.
//
// To import expvar, as this package does, adds the handler /debug/vars to
// http.DefaultServeMux, which also shows the command line. A server on that mux
// that the world can reach should not be.
func publishVars(vars func() any) {
	publishOnce.Do(func() {
		publish(varRuntime, vars)
		publish(varProcs, func() any { return runtime.GOMAXPROCS(0) })
	})
}

func publish(name string, value expvar.Func) {
	if expvar.Get(name) == nil {
		expvar.Publish(name, value)
	}
}

// vars is what expvar shows as grpcx.runtime.
func vars() any {
	out := struct {
		Report
		Limits     *Limits   `json:"limits,omitempty"`
		Pressure   *Pressure `json:"pressure,omitempty"`
		GCFraction *float64  `json:"gc_fraction,omitempty"`
	}{Report: Current()}
	shared.mu.Lock()
	e := shared.engine
	shared.mu.Unlock()
	if e == nil {
		return out
	}
	if p, err := e.pressure(); err == nil {
		out.Pressure = &p
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	limits, fraction := e.limits, e.guard.fraction()
	out.Limits, out.GCFraction = &limits, &fraction
	return out
}

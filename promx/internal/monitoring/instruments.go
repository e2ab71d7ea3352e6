package monitoring

// Kind is what an instrument counts or measures.
type Kind int

// The kinds of instruments that grpcx has.
const (
	Counter Kind = iota
	UpDownCounter
	Gauge
	Histogram
)

// Need is what a server must have for an instrument to be there.
type Need int

// The needs of instruments.
const (
	Always       Need = iota
	CallMade          // a call
	WithMessages      // Telemetry.Messages, and a call
	WithOld           // OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup, and a call
	WithTLS           // TLS
	Handshake         // TLS, and a handshake
	WithFiles         // WithTLSFiles
	WithRun           // Run, with RuntimeTuning
	WithCgroup        // likewise, in a control group that says
	WithLimit         // a memory limit
	Rarely            // something that does not happen to every server
)

// Instrument is what grpcx records under one name.
type Instrument struct {
	Name       string
	Kind       Kind
	Unit       string // of UCUM
	Attributes []string
	Need       Need
	Calls      bool   // of calls, not of the server
	Text       string // Markdown, for the table
}

const (
	method    = "rpc.method"
	outcome   = "grpcx.outcome"
	direction = "grpcx.direction"
	source    = "grpcx.source"
)

// Instruments are all of them but the one of the old conventions, in the order of
// the tables.
func Instruments() []Instrument {
	return []Instrument{
		{"rpc.server.call.duration", Histogram, "s", []string{"rpc.system.name", method, "rpc.response.status_code", "error.type"}, CallMade, true,
			"a histogram with the prescribed buckets, by `rpc.system.name`, `rpc.method`, `rpc.response.status_code`, and `error.type` where the server is at fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS"},
		{"grpcx.messages", Counter, "{message}", []string{method, direction}, WithMessages, true,
			"with `Telemetry.Messages`, by `rpc.method` and `grpcx.direction`: `received` or `sent`"},
		{"grpcx.message.size", Histogram, "By", []string{method, direction}, WithMessages, true,
			"a histogram, likewise; encoded, without compression"},

		{"grpcx.calls.active", UpDownCounter, "{call}", []string{method}, Always, false,
			"calls that a handler is working on, by `rpc.method`"},
		{"grpcx.panics", Counter, "{panic}", []string{method}, Always, false,
			"panics and `runtime.Goexit`, by `rpc.method`"},
		{"grpcx.connections", Counter, "{connection}", []string{outcome}, Always, false,
			"`accepted`, and `refused` by `Limits.MaxConnections`, by `grpcx.outcome`"},
		{"grpcx.connections.open", UpDownCounter, "{connection}", nil, Always, false,
			"open now"},
		{"grpcx.drain.phase", UpDownCounter, "1", nil, Always, false,
			"0 starting, 1 serving, 2 draining"},
		{"grpcx.drain.abandoned", Counter, "{call}", []string{method}, Always, false,
			"calls that still ran when `Drain.Timeout` was over, by `rpc.method`"},
		{"grpcx.health.ready", UpDownCounter, "1", nil, Always, false,
			"1 while readiness is SERVING, else 0"},
		{"grpcx.health.check.passing", UpDownCounter, "1", []string{"grpcx.check"}, Always, false,
			"1 while a health check passes, else 0, by `grpcx.check`; not before its first result"},
		{"grpcx.tls.handshakes", Counter, "{handshake}", []string{outcome}, WithTLS, false,
			"by `grpcx.outcome`: `ok`, `resumed`, or why the peer was refused; `broken` for what says nothing of the peer"},
		{"grpcx.tls.handshake.duration", Histogram, "s", []string{outcome}, Handshake, false,
			"a histogram of how long they took, by the same"},
		{"grpcx.tls.reloads", Counter, "{reload}", []string{outcome}, WithFiles, false,
			"changes of the TLS files, by `grpcx.outcome`: `adopted`, or `failed` once for each content and reason"},
		{"grpcx.tls.distrusted", Counter, "{connection}", []string{outcome}, Rarely, false,
			"open connections whose peer was no longer accepted, by `grpcx.outcome`"},
		{"grpcx.tls.certificate.not_after", Gauge, "s", nil, WithTLS, false,
			"when the served chain expires, as Unix time"},
		{"grpcx.tls.generation", Gauge, "{generation}", nil, WithTLS, false,
			"grows with every adopted change"},
		{"grpcx.tls.degraded", UpDownCounter, "1", nil, WithFiles, false,
			"1 while the files cannot be adopted, else 0"},
		{"grpcx.runtime.gomaxprocs", Gauge, "{thread}", []string{source}, Always, false,
			"the setting, by `grpcx.source`"},
		{"grpcx.runtime.gomemlimit", Gauge, "By", []string{source}, WithLimit, false,
			"likewise, where there is a limit"},
		{"grpcx.runtime.gogc", Gauge, "%", []string{source}, Always, false,
			"likewise; -1 is off"},
		{"grpcx.runtime.gc.fraction", Gauge, "1", nil, WithRun, false,
			"the collector's share of the CPU; this and the next two with `Run`"},
		{"grpcx.runtime.cpu.throttled", Counter, "{period}", nil, WithCgroup, false,
			"periods in which the CPU quota was used up"},
		{"grpcx.runtime.memory.events", Counter, "{event}", []string{outcome}, WithCgroup, false,
			"`high`, `max`, `oom`, `oom_kill`, by `grpcx.outcome`"},
	}
}

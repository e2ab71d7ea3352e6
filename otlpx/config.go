package otlpx

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// config is what the options and the environment say.
type config struct {
	disabled   bool // OTEL_SDK_DISABLED
	propagator propagation.TextMapPropagator
	targets    map[kind]*target // without those that are not exported
	queue      map[kind]int     // of spans and records
	spanLimits []sdktrace.TracerProviderOption
	logLimits  []sdklog.LoggerProviderOption
	readers    []sdkmetric.Reader
	global     bool
	dial       dialFunc // nil: the network
}

// target is where one signal goes.
type target struct {
	protocol string
	endpoint endpoint
	tls      *tlsFiles // nil: what the system trusts
	timeout  time.Duration
}

// Values of OTEL_EXPORTER_OTLP_PROTOCOL.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

const (
	exporterOTLP = "otlp"
	exporterNone = "none"
)

// Defaults of OpenTelemetry's specification.
const (
	defaultTimeout = 10 * time.Second
	defaultQueue   = 2048
)

// newConfig reads the environment and finds all that is wrong with it.
func newConfig(getenv func(string) string, opts []Option) (*config, error) {
	c := &config{targets: map[kind]*target{}, queue: map[kind]int{}}
	env := &environ{get: getenv}
	for _, o := range opts {
		if o == nil {
			env.errs = append(env.errs, errNilOption)
			continue
		}
		if err := o.apply(c); err != nil {
			env.errs = append(env.errs, err)
		}
	}
	c.propagator = readPropagator(env)
	c.disabled = env.isTrue("OTEL_SDK_DISABLED")
	if c.disabled {
		return c, env.err()
	}
	for _, k := range []kind{traces, metrics, logs} {
		upper := strings.ToUpper(string(k))
		if env.choice(exporterOTLP, []string{exporterOTLP, exporterNone}, "OTEL_"+upper+"_EXPORTER") == exporterOTLP {
			c.targets[k] = readTarget(env, k, upper)
		}
	}
	c.queue[traces] = env.positive(defaultQueue, "spans", "OTEL_BSP_MAX_QUEUE_SIZE")
	c.queue[logs] = env.positive(defaultQueue, "records", "OTEL_BLRP_MAX_QUEUE_SIZE")
	c.spanLimits, c.logLimits = limitSpans(env), limitLogs(env)
	checkSampler(env)
	checkPairs(env, "OTEL_RESOURCE_ATTRIBUTES")
	return c, env.err()
}

// readTarget reads the variables of one signal, each with the one for all three
// behind it.
func readTarget(env *environ, k kind, upper string) *target {
	both := func(name string) []string {
		return []string{"OTEL_EXPORTER_OTLP_" + upper + "_" + name, "OTEL_EXPORTER_OTLP_" + name}
	}
	t := &target{
		protocol: env.choice(protocolHTTP, []string{protocolGRPC, protocolHTTP}, both("PROTOCOL")...),
		timeout:  env.milliseconds(defaultTimeout, both("TIMEOUT")...),
	}
	env.choice(exporterNone, []string{"gzip", exporterNone}, both("COMPRESSION")...)
	checkPairs(env, both("HEADERS")...)
	t.endpoint = readEndpoint(env, k, t.protocol, both("ENDPOINT"))
	t.tls = readTLSFiles(env, t.endpoint, both)
	return t
}

// readPropagator reads OTEL_PROPAGATORS.
func readPropagator(env *environ) propagation.TextMapPropagator {
	fallback := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	value, name := env.first("OTEL_PROPAGATORS")
	if value == "" {
		return fallback
	}
	var names []string
	for part := range strings.SplitSeq(value, ",") {
		names = append(names, strings.TrimSpace(part))
	}
	p, err := autoprop.TextMapPropagator(names...)
	if err != nil {
		env.failf(name, "%w; use a list of tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace, or none", err)
		return fallback
	}
	return p
}

// checkSampler refuses what the SDK would replace by its default: all traces.
func checkSampler(env *environ) {
	sampler := env.choice("parentbased_always_on", []string{
		"always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
	}, "OTEL_TRACES_SAMPLER")
	if value, name := env.first("OTEL_TRACES_SAMPLER_ARG"); value != "" && strings.HasSuffix(sampler, "traceidratio") {
		if ratio, err := strconv.ParseFloat(value, 64); err != nil || !(ratio >= 0 && ratio <= 1) { // NaN too
			env.failf(name, "%q is not a ratio; write a number from 0 to 1, such as 0.01", value)
		}
	}
}

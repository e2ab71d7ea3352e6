package monitoring

// Record is a recording rule.
type Record struct {
	Name, Expr string
}

// Alert is a rule that notifies somebody.
type Alert struct {
	Name     string
	Expr     string // with instruments as PromQL reads them
	For      string // empty: at once
	Severity string // critical: look now; warning: look today
	Summary  string // a template of Prometheus, like the next
	Text     string
	Runbook  string // Markdown: what it means and what to do
}

const (
	callsRule  = "job_rpc_method:rpc_server_calls:rate5m"
	errorsRule = "job_rpc_method:rpc_server_errors:rate5m"
)

// callRate is how many calls end in a second, from histograms of either kind.
func callRate(by, selector, interval string) string {
	if selector != "" {
		selector = "{" + selector + "}"
	}
	return "sum by (" + by + ") (rate(<rpc.server.call.duration>_count" + selector + "[" + interval + "]))" +
		" or sum by (" + by + ") (histogram_count(rate(<rpc.server.call.duration>" + selector + "[" + interval + "])))"
}

// Records are the recording rules that alerts use.
func Records() []Record {
	return []Record{
		{callsRule, callRate("job, rpc_method", "", "5m")},
		{errorsRule, callRate("job, rpc_method", `error_type!=""`, "5m")},
	}
}

const renewal = `<grpcx.health.check.passing>{grpcx_check="tls-certificate-renewal"} == 0`

// Alerts are the alerts, in the order of their file.
func Alerts() []Alert {
	return []Alert{
		{
			Name: "GrpcxNotReady", For: "5m", Severity: "warning",
			Expr:    "<grpcx.health.ready> == 0 unless on (job, instance) <grpcx.drain.phase> == 2",
			Summary: "{{ $labels.instance }} of {{ $labels.job }} is not ready",
			Text:    "Readiness has been NOT_SERVING for 5 minutes, and the server is not draining: it gets no traffic.",
			Runbook: "A required health check fails, or has no result yet. `GET /readyz?verbose` on the admin listener names it with its error; so does the log line \"health check failing\", and `grpcx_health_check_passing == 0`. Where many instances are not ready, look at the dependency that they share before you restart anything: liveness does not depend on checks on purpose. See docs/health.md.",
		},
		{
			Name: "GrpcxErrorRatioHigh", For: "10m", Severity: "critical",
			Expr:    errorsRule + " / " + callsRule + " > 0.05 and " + errorsRule + " > 0.1",
			Summary: "{{ $labels.rpc_method }} of {{ $labels.job }} fails",
			Text:    "{{ $value | humanizePercentage }} of the calls end in an error that is the server's (UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE or DATA_LOSS).",
			Runbook: "More than 5 % of the calls of a method, and more than one in 10 s, over all instances. The label `rpc_response_status_code` of `rpc_server_call_duration_seconds_count` says how they fail: DEADLINE_EXCEEDED points at what the handler waits for, UNAVAILABLE at a dependency, INTERNAL at panics, UNIMPLEMENTED with `_OTHER` at clients that call what is not there. UNKNOWN and INTERNAL carry an id that the log has beside the error. An exemplar in the latency panel leads to a trace.",
		},
		{
			Name: "GrpcxPanics", Severity: "warning",
			Expr:    "increase(<grpcx.panics>[10m]) > 0",
			Summary: "{{ $labels.rpc_method }} of {{ $labels.instance }} panics",
			Text:    "A handler or an interceptor panicked or called runtime.Goexit. The client got INTERNAL with an id.",
			Runbook: "The log has value and stack: look for \"grpcx: panic in a handler\", or for the id that the client got. A panic may leave locks held and data half changed; restart the instance where you cannot rule that out.",
		},
		{
			Name: "GrpcxDrainAbandoned", Severity: "warning",
			Expr:    "max_over_time(<grpcx.drain.abandoned>[10m]) > 0",
			Summary: "{{ $labels.instance }} of {{ $labels.job }} cut off calls when it stopped",
			Text:    "{{ $value }} calls of {{ $labels.rpc_method }} still ran when Drain.Timeout was over.",
			Runbook: "The handler takes longer than `Drain.Timeout`, does not end when its context does, or is a long stream that does not watch `grpcx.Draining(ctx)`. Have streams end by that, give slow methods a deadline (`WithMethods(..., grpcx.Policy{Timeout: ...})`), or raise `Drain.Timeout` together with terminationGracePeriodSeconds. See docs/lifecycle.md.\n\nA process that ends can be seen by its last scrape only. The page waits for one, for about half of `Drain.Stop`; set that to more than twice the scrape interval to miss none, within terminationGracePeriodSeconds. The log line \"grpcx: stopped\" has the methods in any case.",
		},
		{
			Name: "GrpcxTLSReloadFailing", For: "5m", Severity: "warning",
			Expr:    "<grpcx.tls.degraded> == 1",
			Summary: "{{ $labels.instance }} of {{ $labels.job }} cannot adopt its TLS files",
			Text:    "The files have changed and cannot be adopted; the last good certificate and trust are served.",
			Runbook: "The log line \"tls files not adopted, the last good ones stay in use\" has the file and the reason: a key that does not match, an expired certificate, a CA bundle without a certificate, a file that cannot be read. Nothing is wrong for clients until the served certificate expires (GrpcxCertificateExpiring). See docs/tls.md.",
		},
		{
			Name: "GrpcxCertificateRenewalOverdue", For: "5m", Severity: "warning",
			Expr:    renewal,
			Summary: "The certificate of {{ $labels.instance }} has not been renewed",
			Text:    "Less than a quarter of its life is left (or 30 days): what renews certificates has not done so, or the server cannot adopt what it wrote.",
			Runbook: "Find out whether the files are new (`openssl x509 -enddate -noout -in tls.crt` where the server reads them). If they are, the server could not adopt them: GrpcxTLSReloadFailing. If not, look at cert-manager, the SPIFFE agent or whatever renews them.",
		},
		{
			Name: "GrpcxCertificateExpiring", For: "1m", Severity: "critical",
			Expr:    "(<grpcx.tls.certificate.not_after> - time() < 86400) and on (job, instance) (" + renewal + ")",
			Summary: "The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
			Text:    "The renewal is overdue and less than a day is left. Once it has expired no client connects, and the server is not ready.",
			Runbook: "As GrpcxCertificateRenewalOverdue, now. A certificate that lives for less than four days gets here when a quarter of its life is left. A negative time is how long ago it expired.",
		},
		{
			Name: "GrpcxGCPressure", For: "5m", Severity: "warning",
			Expr:    `<grpcx.health.check.passing>{grpcx_check="gc-pressure"} == 0`,
			Summary: "{{ $labels.instance }} of {{ $labels.job }} is short of memory",
			Text:    "The garbage collector has used more than its share of the CPU for 5 minutes: what is in use is close to the memory limit.",
			Runbook: "Compare `go_memstats_heap_inuse_bytes` or a heap profile (`/debug/pprof/heap` on the admin listener) with `grpcx_runtime_gomemlimit_bytes`. Raise the container's memory limit, which the server follows, or hold less in memory: fewer connections and streams (`WithLimits`), smaller messages, smaller caches. See docs/runtime.md.",
		},
	}
}

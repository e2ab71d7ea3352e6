package monitoring

// Panel is a graph of the dashboard.
type Panel struct {
	Title string
	Text  string
	Unit  string // of Grafana
	// Empty says when the panel has no data; empty: it always has.
	Empty     string
	Lines     []Line
	Exemplars bool
}

// Line is a query of a panel; instruments are written as PromQL reads them.
type Line struct {
	Expr, Legend string
}

// Row is a group of panels.
type Row struct {
	Title  string
	Panels []Panel
}

// What the variables of the dashboard select.
const (
	these    = `job=~"$job",instance=~"$instance"`
	ofMethod = these + `,rpc_method=~"$rpc_method"`
	interval = "$__rate_interval"
)

// quantile reads histograms of either kind.
func quantile(q, instrument, by, selector string) string {
	le := "le"
	with := ""
	if by != "" {
		le += ", " + by
		with = " by (" + by + ")"
	}
	return "histogram_quantile(" + q + ", sum by (" + le + ") (rate(<" + instrument + ">_bucket{" + selector + "}[" + interval + "])))" +
		" or histogram_quantile(" + q + ", sum" + with + " (rate(<" + instrument + ">{" + selector + "}[" + interval + "])))"
}

// Rows are the rows of the dashboard.
func Rows() []Row {
	return []Row{
		{"Calls", callPanels()},
		{"Server", serverPanels()},
		{"TLS", tlsPanels()},
		{"Runtime", runtimePanels()},
	}
}

func callPanels() []Panel {
	const duration, by = "rpc.server.call.duration", "rpc_method"
	failed := callRate(by, ofMethod+`,error_type!=""`, interval)
	return []Panel{
		{Title: "Calls", Unit: "reqps", Text: "Calls that ended, by method.", Empty: "without calls",
			Lines: []Line{{callRate(by, ofMethod, interval), "{{rpc_method}}"}}},
		{Title: "Errors", Unit: "percentunit", Text: "The share of calls that ended in an error of the server, by method.", Empty: "without such errors",
			Lines: []Line{{"(" + failed + ") / (" + callRate(by, ofMethod, interval) + ")", "{{rpc_method}}"}}},
		{Title: "Status codes", Unit: "reqps", Text: "Calls by the status that the client got.", Empty: "without calls",
			Lines: []Line{{callRate("rpc_response_status_code", ofMethod, interval), "{{rpc_response_status_code}}"}}},
		{Title: "Latency", Unit: "s", Text: "Quantiles over all methods chosen. Exemplars lead to traces.", Empty: "without calls", Exemplars: true,
			Lines: []Line{
				{quantile("0.5", duration, "", ofMethod), "p50"},
				{quantile("0.95", duration, "", ofMethod), "p95"},
				{quantile("0.99", duration, "", ofMethod), "p99"},
			}},
		{Title: "Latency by method, p99", Unit: "s", Text: "Streams count from open to end.", Empty: "without calls",
			Lines: []Line{{quantile("0.99", duration, by, ofMethod), "{{rpc_method}}"}}},
		{Title: "Active calls", Unit: "short", Text: "Calls that a handler is working on.",
			Lines: []Line{{"sum by (rpc_method) (<grpcx.calls.active>{" + ofMethod + "})", "{{rpc_method}}"}}},
		{Title: "Messages", Unit: "mps", Text: "Messages received and sent.", Empty: "without Telemetry.Messages",
			Lines: []Line{{"sum by (grpcx_direction) (rate(<grpcx.messages>{" + ofMethod + "}[" + interval + "]))", "{{grpcx_direction}}"}}},
		{Title: "Message size, p99", Unit: "bytes", Text: "Encoded, without compression.", Empty: "without Telemetry.Messages",
			Lines: []Line{{quantile("0.99", "grpcx.message.size", "grpcx_direction", ofMethod), "{{grpcx_direction}}"}}},
		{Title: "Panics", Unit: "short", Text: "Panics of handlers and interceptors, by method.",
			Lines: []Line{{"sum by (rpc_method) (increase(<grpcx.panics>{" + ofMethod + "}[" + interval + "]))", "{{rpc_method}}"}}},
	}
}

func serverPanels() []Panel {
	return []Panel{
		{Title: "Ready", Unit: "bool_yes_no", Text: "Whether readiness is SERVING.",
			Lines: []Line{{"<grpcx.health.ready>{" + these + "}", "{{instance}}"}}},
		{Title: "Health checks", Unit: "short", Text: "How many instances a check fails on.", Empty: "without checks",
			Lines: []Line{{"sum by (grpcx_check) (1 - <grpcx.health.check.passing>{" + these + "})", "{{grpcx_check}}"}}},
		{Title: "Drain", Unit: "short", Text: "Instances that are starting, serve, or drain.",
			Lines: []Line{{`count_values by (job) ("phase", <grpcx.drain.phase>{` + these + "})", "phase {{phase}}"}}},
		{Title: "Calls abandoned", Unit: "short", Text: "Calls that a drain cut off, as the last scrape of the process saw it.",
			Lines: []Line{{"sum by (rpc_method) (max_over_time(<grpcx.drain.abandoned>{" + ofMethod + "}[" + interval + "]))", "{{rpc_method}}"}}},
		{Title: "Open connections", Unit: "short", Text: "By instance; those in their handshake included.",
			Lines: []Line{{"<grpcx.connections.open>{" + these + "}", "{{instance}}"}}},
		{Title: "New connections", Unit: "ops", Text: "Accepted, and refused by Limits.MaxConnections.",
			Lines: []Line{{"sum by (grpcx_outcome) (rate(<grpcx.connections>{" + these + "}[" + interval + "]))", "{{grpcx_outcome}}"}}},
	}
}

func tlsPanels() []Panel {
	const plaintext = "in plaintext"
	return []Panel{
		{Title: "Certificate expires in", Unit: "s", Text: "Until the first certificate of the served chain expires.", Empty: plaintext,
			Lines: []Line{{"<grpcx.tls.certificate.not_after>{" + these + "} - time()", "{{instance}}"}}},
		{Title: "Handshakes", Unit: "ops", Text: "By outcome: ok, resumed, or why the peer was refused.", Empty: plaintext,
			Lines: []Line{{"sum by (grpcx_outcome) (rate(<grpcx.tls.handshakes>{" + these + "}[" + interval + "]))", "{{grpcx_outcome}}"}}},
		{Title: "Handshake time, p99", Unit: "s", Text: "By outcome.", Empty: "without handshakes",
			Lines: []Line{{quantile("0.99", "grpcx.tls.handshake.duration", "grpcx_outcome", these), "{{grpcx_outcome}}"}}},
		{Title: "Certificate and trust", Unit: "short", Text: "The generation in use, and instances that cannot adopt their files.", Empty: plaintext,
			Lines: []Line{
				{"<grpcx.tls.generation>{" + these + "}", "generation {{instance}}"},
				{"sum(<grpcx.tls.degraded>{" + these + "})", "cannot adopt"},
			}},
		{Title: "Reloads", Unit: "short", Text: "Changes of the TLS files, adopted or failed.", Empty: "without WithTLSFiles",
			Lines: []Line{{"sum by (grpcx_outcome) (increase(<grpcx.tls.reloads>{" + these + "}[" + interval + "]))", "{{grpcx_outcome}}"}}},
		{Title: "Connections distrusted", Unit: "short", Text: "Open connections whose peer was no longer accepted, by reason.", Empty: "until there is one",
			Lines: []Line{{"sum by (grpcx_outcome) (increase(<grpcx.tls.distrusted>{" + these + "}[" + interval + "]))", "{{grpcx_outcome}}"}}},
	}
}

func runtimePanels() []Panel {
	return []Panel{
		{Title: "Memory", Unit: "bytes", Text: "Resident, the heap in use, and GOMEMLIMIT.",
			Lines: []Line{
				{"process_resident_memory_bytes{" + these + "}", "resident {{instance}}"},
				{"go_memstats_heap_inuse_bytes{" + these + "}", "heap {{instance}}"},
				{"<grpcx.runtime.gomemlimit>{" + these + "}", "limit {{instance}}"},
			}},
		{Title: "CPU", Unit: "short", Text: "Cores used, and GOMAXPROCS.",
			Lines: []Line{
				{"rate(process_cpu_seconds_total{" + these + "}[" + interval + "])", "used {{instance}}"},
				{"<grpcx.runtime.gomaxprocs>{" + these + "}", "GOMAXPROCS {{instance}}"},
			}},
		{Title: "Garbage collector", Unit: "percentunit", Text: "Its share of the CPU.", Empty: "with Serve, which does not tune the runtime",
			Lines: []Line{{"<grpcx.runtime.gc.fraction>{" + these + "}", "{{instance}}"}}},
		{Title: "GOGC", Unit: "percent", Text: "-1 is off.",
			Lines: []Line{{"<grpcx.runtime.gogc>{" + these + "}", "{{instance}}"}}},
		{Title: "CPU throttled", Unit: "ops", Text: "Periods in which the CPU quota was used up.", Empty: "with Serve, and outside control groups with a quota",
			Lines: []Line{{"rate(<grpcx.runtime.cpu.throttled>{" + these + "}[" + interval + "])", "{{instance}}"}}},
		{Title: "Memory limit enforced", Unit: "short", Text: "Events of the control group.", Empty: "with Serve, and outside control groups",
			Lines: []Line{{"sum by (grpcx_outcome) (increase(<grpcx.runtime.memory.events>{" + these + "}[" + interval + "]))", "{{grpcx_outcome}}"}}},
		{Title: "Goroutines", Unit: "short", Text: "By instance.",
			Lines: []Line{{"go_goroutines{" + these + "}", "{{instance}}"}}},
	}
}

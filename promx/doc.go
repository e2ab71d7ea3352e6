// Package promx serves the metrics of a grpcx server to Prometheus:
//
//	srv, err := grpcx.New(
//		grpcx.WithAdminAddr("10.0.0.7:6060"), // the page is http://10.0.0.7:6060/metrics
//		promx.New(),
//		...
//	)
//
// It is a module of its own: importing grpcx compiles neither it nor the
// OpenTelemetry SDK.
//
// # Names
//
// The page has the instruments of docs/telemetry.md with the names and units of
// Prometheus: rpc.server.call.duration in s is rpc_server_call_duration_seconds,
// and its attribute rpc.method is the label rpc_method. Dots become underscores
// and units become suffixes (the strategy UnderscoreEscapingWithSuffixes of
// OpenTelemetry's specification), so that Prometheus 2 and 3 and every other
// reader of the format show the same names; UTF-8 names would need quotes in
// every query, and Prometheus 3. There is no option for other names: the
// dashboard and the alerts are written for these.
//
// Beside them are the collectors go_* and process_* of client_golang and
// target_info, whose labels are the resource: set OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES.
//
// # Exemplars and native histograms
//
// Where a call is traced and sampled, the histogram's bucket that it fell into
// has an exemplar with trace_id and span_id. Prometheus asks for them (it
// negotiates OpenMetrics or protobuf) and keeps them when it is started with
// --enable-feature=exemplar-storage. [WithNativeHistograms] replaces the buckets
// of all histograms by exponential ones.
//
// # The page
//
// It is served on the admin listener, whose limits it shares. At most 8 requests
// are answered at a time, others get 503, and each within 10 s. A collector of
// the program that fails costs its own metrics, not the page; the error is
// logged when it changes.
//
// The listener is on loopback unless [grpcx.WithAdminAddr] names another address.
// It has profiles too, so keep it from strangers, by a network policy for
// example. It serves requests for IP addresses, for localhost and for the host
// that WithAdminAddr names: Prometheus finds it by pod discovery, or by
// dns_sd_configs with type A.
//
// When the drain had to give up on calls, the page stays for one more request,
// as long as Drain.Stop allows (about half of it): what happened would not be
// seen otherwise.
//
// # Alerts and dashboard
//
// The directory alerts has rules for Prometheus and what to do when they fire,
// and dashboards a dashboard for Grafana. Both are generated from the table of
// instruments that docs/telemetry.md is generated from.
package promx

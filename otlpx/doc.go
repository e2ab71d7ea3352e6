// Package otlpx exports what a grpcx server records with the OpenTelemetry
// protocol (OTLP): its traces, its metrics and those of the Go runtime, and its
// log.
//
//	srv, err := grpcx.New(
//		otlpx.New(),
//		grpcx.WithTLSFiles(files),
//	)
//
// With promx beside it, both read one meter provider:
//
//	reader, page := promx.NewReader()
//	srv, err := grpcx.New(otlpx.New(otlpx.WithMetricReader(reader)), page, ...)
//
// It is a module of its own, so that a server without it compiles neither the SDK
// of OpenTelemetry nor an exporter.
//
// # Where to
//
// The variables of OpenTelemetry's specification say it, read when serving
// starts. Unset, everything goes to http://localhost:4318, or with gRPC to
// http://localhost:4317.
//
//	OTEL_SDK_DISABLED                      true: nothing is exported
//	OTEL_TRACES_EXPORTER                   otlp (default) or none; likewise METRICS, LOGS
//	OTEL_EXPORTER_OTLP_ENDPOINT            URL of http or https; for gRPC also unix:path
//	OTEL_EXPORTER_OTLP_PROTOCOL            http/protobuf (default) or grpc
//	OTEL_EXPORTER_OTLP_HEADERS             key1=value1,key2=value2, percent-encoded
//	OTEL_EXPORTER_OTLP_COMPRESSION         none (default) or gzip
//	OTEL_EXPORTER_OTLP_TIMEOUT             of an export with its retries, in ms (10000)
//	OTEL_EXPORTER_OTLP_CERTIFICATE         CA of the collector (default: the system's)
//	OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE  for mutual TLS,
//	OTEL_EXPORTER_OTLP_CLIENT_KEY          both or none
//	OTEL_SERVICE_NAME                      wins over what is detected,
//	OTEL_RESOURCE_ATTRIBUTES               likewise
//	OTEL_PROPAGATORS                       tracecontext,baggage (default), b3, b3multi, jaeger,
//	                                       xray, ottrace, none
//	OTEL_TRACES_SAMPLER                    parentbased_always_on (default) and the others of
//	OTEL_TRACES_SAMPLER_ARG                the specification
//	OTEL_BSP_*, OTEL_BLRP_*                batches and queues, as the SDK reads them
//	OTEL_METRIC_EXPORT_INTERVAL            in ms (60000), likewise
//	OTEL_*_LIMIT                           likewise
//
// Those of OTEL_EXPORTER_OTLP can be set for one signal, as in
// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, which is then used as it is; to the common
// endpoint HTTP adds /v1/traces and so on. An endpoint has a scheme, which alone
// decides about TLS. A value that cannot be used makes Serve fail with an
// [*EnvError], where the specification would have it ignored: a server that
// silently exports nothing is found out too late. The files are read anew for
// each connection and so may rotate.
//
// # What
//
// Traces and metrics are those of docs/telemetry.md, with the metrics of the Go
// runtime by the semantic conventions (go.memory.used, go.goroutine.count,
// go.schedule.duration and others). The log is what the server's logger writes,
// at its level; it goes on being written. Lines of one call have the trace_id and
// span_id of its span in both places. For the program's own lines see [Handler].
// Text that is not UTF-8 is repaired, since it would lose the whole batch.
//
// The resource names the service as its command is called, with the version that
// the Go tool stamped, unless the variables say otherwise, a random
// service.instance.id, the host and its architecture, the process without its
// arguments, the container, and in Kubernetes what the downward API passes on as
// POD_NAME, POD_UID, POD_NAMESPACE, NODE_NAME and CONTAINER_NAME.
//
// # When the collector is dead
//
// Calls never wait for an export. No more waits, or is being exported, than 2048
// spans (OTEL_BSP_MAX_QUEUE_SIZE) and 2048 records (OTEL_BLRP_MAX_QUEUE_SIZE); what
// comes on top is dropped. Texts are cut at 16384 characters, unless one of
// OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, OTEL_SPAN_... and OTEL_LOGRECORD_... sets
// another limit for attributes, so that memory is bounded too. The log says once that export fails, and once that it
// works again and what was lost. These metrics have the numbers, by grpcx.signal:
//
//	grpcx.otlp.items     {item}  spans, data points, records, by grpcx.outcome:
//	                             exported, failed, dropped
//	grpcx.otlp.queue     {item}  spans and records that wait
//	grpcx.otlp.failing   1       1 while export fails, else 0
//
// What waits when the server stops is exported within its share of Drain.Stop;
// what then remains is lost, said, and no error of Serve.
//
// # Cost
//
// BenchmarkCall has a unary call over memory, client and server in one process,
// with every call sampled and exported to a collector on loopback, against the
// same call without otlpx:
//
//	go test -run '^$' -bench 'Call/(none|grpc)' -benchtime 2s -count 4 .
//
// On a shared virtual machine of 2 cores (linux/amd64, Go 1.26.8), the median and
// range of 4:
//
//	without                         55 µs (49-62)   145 allocations
//	with, every call sampled        67 µs (65-77)   200 allocations
//	with, 1 % of the calls sampled  58 µs (55-61)   148 allocations
//
// The rows have the client's work too, and those with otlpx the collector's
// decoding. Nothing was dropped.
//
// # Why not autoexport
//
// contrib's autoexport makes a metric reader whose exporter cannot be wrapped, so
// that a failed export reaches the global error handler alone, each time, and its
// HTTP clients keep connections, and goroutines, after their shutdown. It also
// compiles the exporters for Prometheus and the console: 521 packages of 56 modules
// against 483 of 44 for a server with nothing else (375 of 20 without otlpx), and
// 20.2 MB of stripped program against 19.3 MB (15.3 MB).
package otlpx

// Package otlp tests otlpx, and the configuration of examples/otlp, against an OpenTelemetry Collector, built from the
// Collector's modules in testdata/collector and run as a process. It takes
// minutes to compile: `make test-integration` runs it.
package otlp

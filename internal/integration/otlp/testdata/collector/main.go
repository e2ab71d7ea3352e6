// Command collector is an OpenTelemetry Collector: the one that its modules make,
// with the OTLP receiver, and an exporter that writes what arrives to a file, a
// line of OTLP's JSON for each batch. The tests beside it run it.
//
//	collector --config 'yaml:...'
package main

import (
	"context"
	"log"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func main() {
	cmd := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Description: "for tests", Version: "0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()}, DefaultScheme: "yaml",
		}},
	})
	if err := cmd.Execute(); err != nil {
		log.Fatal(err)
	}
}

func factories() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap(fileExporter(), debugexporter.NewFactory(), otlpexporter.NewFactory())
	return otelcol.Factories{Receivers: receivers, Exporters: exporters, Telemetry: otelconftelemetry.NewFactory()}, err
}

// config is that of the file exporter.
type config struct {
	Path string `mapstructure:"path"`
}

// writer appends lines to the file; the exporters of the three signals share it.
type writer struct {
	component.StartFunc
	component.ShutdownFunc

	path string
	mu   *sync.Mutex
}

func (w writer) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (w writer) line(data []byte, err error) error {
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	file, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(data, '\n'))
	return err
}

type (
	tracesWriter  struct{ writer }
	metricsWriter struct{ writer }
	logsWriter    struct{ writer }
)

func (w tracesWriter) ConsumeTraces(_ context.Context, data ptrace.Traces) error {
	return w.line((&ptrace.JSONMarshaler{}).MarshalTraces(data))
}

func (w metricsWriter) ConsumeMetrics(_ context.Context, data pmetric.Metrics) error {
	return w.line((&pmetric.JSONMarshaler{}).MarshalMetrics(data))
}

func (w logsWriter) ConsumeLogs(_ context.Context, data plog.Logs) error {
	return w.line((&plog.JSONMarshaler{}).MarshalLogs(data))
}

func fileExporter() exporter.Factory {
	mu := &sync.Mutex{}
	with := func(cfg component.Config) writer { return writer{path: cfg.(*config).Path, mu: mu} }
	const level = component.StabilityLevelDevelopment
	return exporter.NewFactory(component.MustNewType("lines"), func() component.Config { return &config{} },
		exporter.WithTraces(func(_ context.Context, _ exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			return tracesWriter{with(cfg)}, nil
		}, level),
		exporter.WithMetrics(func(_ context.Context, _ exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return metricsWriter{with(cfg)}, nil
		}, level),
		exporter.WithLogs(func(_ context.Context, _ exporter.Settings, cfg component.Config) (exporter.Logs, error) {
			return logsWriter{with(cfg)}, nil
		}, level))
}

package otlpx

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// The exporters read the variables that this package does not: headers,
// compression, temporality, retries are theirs. Endpoint and TLS are given, for
// one reading of them, and the HTTP client, because their own keeps connections,
// and with them goroutines, beyond their end.

func newSpanExporter(ctx context.Context, t *target, c *http.Client, dial dialFunc) (sdktrace.SpanExporter, error) {
	if t.protocol == protocolGRPC {
		return otlptracegrpc.New(ctx,
			otlptracegrpc.WithEndpoint(t.endpoint.target), otlptracegrpc.WithTLSCredentials(t.credentials()),
			otlptracegrpc.WithDialOption(dialOptions(dial)...))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(t.endpoint.target), otlptracehttp.WithHTTPClient(c))
}

func newMetricExporter(ctx context.Context, t *target, c *http.Client, dial dialFunc) (sdkmetric.Exporter, error) {
	if t.protocol == protocolGRPC {
		return otlpmetricgrpc.New(ctx,
			otlpmetricgrpc.WithEndpoint(t.endpoint.target), otlpmetricgrpc.WithTLSCredentials(t.credentials()),
			otlpmetricgrpc.WithDialOption(dialOptions(dial)...))
	}
	return otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(t.endpoint.target), otlpmetrichttp.WithHTTPClient(c))
}

func newLogExporter(ctx context.Context, t *target, c *http.Client, dial dialFunc) (sdklog.Exporter, error) {
	if t.protocol == protocolGRPC {
		return otlploggrpc.New(ctx,
			otlploggrpc.WithEndpoint(t.endpoint.target), otlploggrpc.WithTLSCredentials(t.credentials()),
			otlploggrpc.WithDialOption(dialOptions(dial)...))
	}
	return otlploghttp.New(ctx, otlploghttp.WithEndpointURL(t.endpoint.target), otlploghttp.WithHTTPClient(c))
}

func (t *target) credentials() credentials.TransportCredentials {
	if t.endpoint.insecure {
		return insecure.NewCredentials()
	}
	return newFileCredentials(t.tls)
}

func dialOptions(dial dialFunc) []grpc.DialOption {
	if dial == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		return dial(ctx, "tcp", addr)
	})}
}

// newHTTPClient is a client of one collector: a connection for each export at a
// time. The time of a whole export is bounded by the pipe.
func newHTTPClient(t *target, dial dialFunc) (*http.Client, error) {
	if dial == nil {
		dial = (&net.Dialer{Timeout: defaultTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	cfg, err := t.tls.config("")
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial,
		TLSClientConfig:     cfg, // behind a proxy
		MaxIdleConnsPerHost: 1,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: defaultTimeout,
	}
	transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		cfg, err := t.tls.config(host)
		if err != nil {
			return nil, err
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(conn, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secured, nil
	}
	return &http.Client{Transport: transport}, nil
}

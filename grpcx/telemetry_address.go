package grpcx

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// addressAttributes makes the span attributes of the server's address. The last
// ones are kept: most servers have one.
type addressAttributes struct{ last atomic.Pointer[keptAddress] }

type keptAddress struct {
	addr  netip.AddrPort
	attrs []attribute.KeyValue // without spare capacity
}

func (a *addressAttributes) attributes(addr net.Addr) []attribute.KeyValue {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return makeAddress(addr)
	}
	key := tcp.AddrPort()
	kept := a.last.Load()
	if kept == nil || kept.addr != key {
		kept = &keptAddress{key, makeAddress(addr)}
		a.last.Store(kept)
	}
	return kept.attrs
}

func makeAddress(addr net.Addr) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return []attribute.KeyValue{semconv.ServerAddress(addr.String())}
	}
	attrs := []attribute.KeyValue{semconv.ServerAddress(host)}
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, semconv.ServerPort(n))
	}
	return slices.Clip(attrs)
}

package grpcx

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/internal/assert"
)

// TestIncomingIsNotCopied pins where grpc-go keeps the metadata of a call. When
// it fails, calls are still right, and slower.
func TestIncomingIsNotCopied(t *testing.T) {
	md := metadata.Pairs("traceparent", "first")
	carrier := incomingOf(metadata.NewIncomingContext(context.WithValue(t.Context(), callKey{}, 1), md))
	assert.Equal(t, carrier.Get("Traceparent"), "first")
	md.Set("traceparent", "second")
	assert.Equal(t, carrier.Get("traceparent"), "second")
	carrier.Values("traceparent")[0] = "changed by a propagator"
	assert.Equal(t, md.Get("traceparent")[0], "second")

	assert.Equal(t, len(incomingOf(t.Context()).Keys()), 0)
}

// Servers with several addresses must not show the one of another call.
func TestAddressAttributes(t *testing.T) {
	var kept addressAttributes
	for range 2 {
		for addr, want := range map[net.Addr]string{
			&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}:        "10.0.0.1 80",
			&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 81}:        "10.0.0.1 81",
			&net.TCPAddr{IP: net.IPv6loopback, Port: 80}:             "::1 80",
			&net.TCPAddr{IP: net.IPv6loopback, Port: 80, Zone: "lo"}: "::1%lo 80",
			&net.UnixAddr{Name: "/run/s", Net: "unix"}:               "/run/s",
		} {
			got := ""
			for _, attr := range kept.attributes(addr) {
				if got != "" {
					got += " "
				}
				got += attr.Value.String()
			}
			assert.Equal(t, got, want)
		}
	}
}

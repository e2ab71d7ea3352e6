package grpcx_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// TLSStatus counts what became of handshakes.
func TestTLSStatus(t *testing.T) {
	srv := grpcxtest.NewMTLS(t, withService(&service{}))
	_, err := client(srv).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err)
	addr := srv.Addrs()[0].String()

	// Without a certificate, and without TLS.
	bare := tls.Client(dialTCP(t, addr), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	_ = bare.HandshakeContext(context.Background())
	_, _ = bare.Read(make([]byte, 1)) // TLS 1.3 tells a client only now
	_ = bare.Close()
	rude := dialTCP(t, addr)
	_, err = rude.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	assert.NoError(t, err)
	_ = rude.Close()

	waitFor(t, "two refusals", func() bool {
		s, _ := srv.TLSStatus()
		return s.Refused[tlsx.PeerNoCertificate] == 1 && s.Refused[""] == 1
	})
	s, ok := srv.TLSStatus()
	assert.True(t, ok)
	assert.Equal(t, s.Handshakes, uint64(1))
	assert.Equal(t, s.Connections, map[uint64]int{1: 1})
	assert.Equal(t, s.Distrusted, map[tlsx.PeerReason]uint64{})
	assert.True(t, s.Files == nil)
	assert.Contains(t, mustJSON(t, s), `"refused":{"":1,"no-certificate":1}`)

	_, ok = grpcxtest.New(t).TLSStatus()
	assert.True(t, !ok, "a plaintext server has no TLS status")
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	assert.NoError(t, err)
	return conn
}

package grpcx

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/tlsx"
)

// probeServer serves grpc.health.v1, and nothing else, on its own listener, in
// plaintext or over TLS without client certificates. Its limits are those of a
// handful of probes.
type probeServer struct {
	lis   net.Listener
	grpc  *grpc.Server
	table *connTable
	done  chan struct{}
}

// maxOwnConns bounds the connections of the probe and of the admin listener.
const maxOwnConns = 64

func fewConns(listener string) string {
	return fmt.Sprintf("close idle connections: the %s listener has room for %d", listener, maxOwnConns)
}

func newProbeServer(lis net.Listener, s *Server) *probeServer {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(4 * kib),
		grpc.MaxHeaderListSize(8 * kib),
		grpc.MaxConcurrentStreams(16),
		grpc.ConnectionTimeout(5 * time.Second),
	}
	if s.cfg.probeTLS {
		opts = append(opts, grpc.Creds(probeCredentials(s.cfg.transport.source)))
	}
	p := &probeServer{
		lis:   lis,
		table: newConnTable(maxOwnConns, s.cfg.keepalive.Timeout, s.cfg.probeTLS, s.logger),
		done:  make(chan struct{}),
		grpc:  grpc.NewServer(opts...),
	}
	p.table.remedy = fewConns("probe")
	s.health.Register(p.grpc)
	return p
}

// probeCredentials are TLS that asks nobody who they are. Of the server's own
// configuration, read anew for each handshake, they take the certificate and
// what is negotiated. There are no session tickets: none can be carried from
// here to the serving port, or back.
func probeCredentials(source tlsx.Source) credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			serving := source.Current().ServerConfig()
			return &tls.Config{
				MinVersion:             serving.MinVersion,
				NextProtos:             serving.NextProtos,
				CipherSuites:           serving.CipherSuites,
				GetCertificate:         serving.GetCertificate,
				ClientAuth:             tls.NoClientCert,
				SessionTicketsDisabled: true,
			}, nil
		},
	})
}

func (p *probeServer) start() {
	go func() {
		defer close(p.done)
		_ = p.grpc.Serve(&listener{p.lis, p.table})
	}()
}

// stop ends the probes at once: the drain is over.
func (p *probeServer) stop(left *budget) {
	p.table.refuse()
	go p.grpc.Stop()
	left.wait(p.done)
}

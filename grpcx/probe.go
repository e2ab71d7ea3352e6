package grpcx

import (
	"net"
	"time"

	"google.golang.org/grpc"
)

// probeServer serves grpc.health.v1, and nothing else, in plaintext on its own
// listener. Its limits are those of a handful of probes.
type probeServer struct {
	lis   net.Listener
	grpc  *grpc.Server
	table *connTable
	done  chan struct{}
}

func newProbeServer(lis net.Listener, s *Server) *probeServer {
	p := &probeServer{
		lis:   lis,
		table: newConnTable(64, s.cfg.keepalive.Timeout, false, s.logger),
		done:  make(chan struct{}),
		grpc: grpc.NewServer(
			grpc.MaxRecvMsgSize(4*kib),
			grpc.MaxHeaderListSize(8*kib),
			grpc.MaxConcurrentStreams(16),
			grpc.ConnectionTimeout(5*time.Second),
		),
	}
	s.health.Register(p.grpc)
	return p
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

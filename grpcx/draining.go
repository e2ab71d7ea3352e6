package grpcx

import (
	"context"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/grpcx-go/sdk/tlsx"
)

// Draining returns a channel that is closed when the call's server drains or
// its connection was told to go away because of its age. Handlers of long
// streams select on it to end at a point of their choosing, before
// Drain.Timeout or MaxConnectionAgeGrace ends them:
//
//	select {
//	case ev := <-events:
//		...
//	case <-grpcx.Draining(stream.Context()):
//		return status.Error(codes.Unavailable, "server is draining")
//	}
//
// It returns nil, which blocks forever, when ctx is not that of a call served
// by a [Server]. Get the channel once per call, not once per message.
func Draining(ctx context.Context) <-chan struct{} {
	c := callFrom(ctx)
	if c == nil {
		return nil
	}
	if c.path.table != nil {
		if p, ok := peer.FromContext(c.Context); ok {
			if ch, ok := c.path.table.drainingOf(p.Addr); ok {
				return ch
			}
		}
	}
	return c.path.drain
}

// PeerIdentity returns who called, as proved by a verified client certificate;
// false without one. On a [Server] it is the identity as the present trust sees
// it, with its generation. It works in any gRPC handler, whoever built the
// server.
func PeerIdentity(ctx context.Context) (tlsx.Identity, bool) {
	if p := peerOf(ctx); p != nil {
		identity := p.keeper.identityOf(p)
		return identity, !identity.IsZero()
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return tlsx.Identity{}, false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return tlsx.Identity{}, false
	}
	return tlsx.PeerIdentity(info.State)
}

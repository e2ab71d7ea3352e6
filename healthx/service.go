package healthx

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// maxList is how many names List returns at most, as grpc-go's own server.
const maxList = 100

var (
	errUnknown = status.Error(codes.NotFound, "unknown service")
	errList    = status.Errorf(codes.ResourceExhausted, "server health list exceeds maximum capacity: %d", maxList)
	errClosed  = status.Error(codes.Unavailable, "the server is shutting down")
)

// Register registers the grpc.health.v1.Health service, backed by r, on a
// server that does not serve yet. It may be called for several servers, as
// for the serving port and a plaintext probe port.
//
//   - Check answers NOT_FOUND for an unknown name.
//   - Watch answers SERVICE_UNKNOWN for an unknown name and goes on once the
//     name is added. It sends only changes; a client that reads slowly gets
//     the latest status and not all between.
//   - List answers RESOURCE_EXHAUSTED above 100 names, those of readiness,
//     liveness and startup included.
func (r *Registry) Register(s grpc.ServiceRegistrar) {
	healthpb.RegisterHealthServer(s, &service{r: r})
}

// service keeps the RPC methods off the Registry's own method set.
type service struct {
	healthpb.UnimplementedHealthServer
	r *Registry
}

func (s *service) Check(_ context.Context, in *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	n, ok := s.r.snap.Load().nodes[in.GetService()]
	if !ok {
		return nil, errUnknown
	}
	return &healthpb.HealthCheckResponse{Status: n.status.proto()}, nil
}

func (s *service) List(context.Context, *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	nodes := s.r.snap.Load().nodes
	if len(nodes) > maxList {
		return nil, errList
	}
	statuses := make(map[string]*healthpb.HealthCheckResponse, len(nodes))
	for name, n := range nodes {
		statuses[name] = &healthpb.HealthCheckResponse{Status: n.status.proto()}
	}
	return &healthpb.HealthListResponse{Statuses: statuses}, nil
}

// Watch holds nothing but its own goroutine: it reads the present status,
// sends it if it is news, and sleeps until the channel of what it read is
// closed. However many changes pass during a slow Send, one message follows.
func (s *service) Watch(in *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	const none healthpb.HealthCheckResponse_ServingStatus = -1
	name, ctx, last := in.GetService(), stream.Context(), none
	for {
		select {
		case <-s.r.closed:
			// Without a message first: that keeps a grpc-go client, which
			// reconnects at once after any message, in its backoff.
			return errClosed
		default:
		}
		snap := s.r.snap.Load()
		now, changed := healthpb.HealthCheckResponse_SERVICE_UNKNOWN, snap.grown
		if n, ok := snap.nodes[name]; ok {
			now, changed = n.status.proto(), n.changed
		}
		if now != last {
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-changed:
		case <-s.r.closed:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

package healthcmd

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
)

// A connection is one to the server, ready for calls.
type connection struct {
	*grpc.ClientConn
	attempt *attempt
	took    time.Duration
}

// connect makes one attempt. It fails with a *fault, at the latest when ctx
// ends.
func connect(ctx context.Context, r *request) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, r.connect)
	defer cancel()
	a := &attempt{request: r}
	start := time.Now()
	cc, err := grpc.NewClient("passthrough:///server", dialOptions(r, a)...) // dial knows where
	if err != nil {
		return nil, connectFault(r, "cannot be connected to: %w; check the address", err)
	}
	cc.Connect()
	for begun := false; ; {
		state := cc.GetState()
		if state == connectivity.Idle && begun {
			state = connectivity.Ready // it was, and the server closed it since
		}
		begun = begun || state != connectivity.Idle
		switch state {
		case connectivity.Ready:
			return &connection{ClientConn: cc, attempt: a, took: time.Since(start)}, nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			fault := a.fault(failed)
			_ = cc.Close() // it has no other error than that it is closed
			return nil, fault
		default:
			if !cc.WaitForStateChange(ctx, state) {
				fault := a.timedOut(ctx)
				_ = cc.Close()
				return nil, fault
			}
		}
	}
}

func dialOptions(r *request, a *attempt) []grpc.DialOption {
	var creds credentials.TransportCredentials
	if r.tls == nil {
		creds = insecure.NewCredentials()
	} else {
		creds = a.credentials()
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(a.dial),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithDisableHealthCheck(),
		grpc.WithConnectParams(grpc.ConnectParams{ // the limit is that of connect
			Backoff: backoff.DefaultConfig, MinConnectTimeout: r.connect + time.Minute,
		}),
		grpc.WithUserAgent(r.userAgent),
	}
	if r.tls == nil || r.tls.config.ServerName == "" {
		options = append(options, grpc.WithAuthority(r.target.authority))
	} // otherwise it is the server name
	if r.gzip {
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	return options
}

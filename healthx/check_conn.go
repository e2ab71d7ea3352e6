package healthx

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Conn returns a check for [Registry.AddCheck] that passes when the connection
// to another gRPC server is READY, or becomes so within nine tenths of the
// check's time. An idle channel is connected, so one that falls idle is so only
// until the next check. It is never closed.
//
// For each service named it then asks the health service of that server, ""
// for the server as a whole. A server without a health service passes, as in
// gRFC A17; one that does not know the service or says that it does not serve
// fails.
//
// A server whose readiness depends on that of others takes part in their
// outages. [Informational] and [Services] limit that.
func Conn(cc *grpc.ClientConn, services ...string) func(context.Context) error {
	if cc == nil {
		return failing(errors.New("grpc: the connection is nil; pass what grpc.NewClient returned"))
	}
	c := &connCheck{cc: cc, shown: redactTarget(cc.Target()), services: slices.Clone(services)}
	return c.check
}

type connCheck struct {
	cc       *grpc.ClientConn
	shown    string
	services []string
}

func (c *connCheck) check(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return fmt.Errorf("grpc %s: %w", c.shown, err)
	}
	for _, service := range c.services {
		if err := c.ask(ctx, service); err != nil {
			return fmt.Errorf("grpc %s: %w", c.shown, err)
		}
	}
	return nil
}

// connect waits until the connection is READY. It gives up a little before ctx
// ends, while somebody still listens to the reason.
func (c *connCheck) connect(ctx context.Context) error {
	wait := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		wait, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
		defer cancel()
	}
	for {
		state := c.cc.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Shutdown:
			return errors.New("the program has closed the connection; close it after the server has stopped")
		case connectivity.Idle:
			c.cc.Connect()
		case connectivity.Connecting, connectivity.TransientFailure: // grpc-go goes on trying
		}
		if !c.cc.WaitForStateChange(wait, state) {
			return c.notReady(ctx, state)
		}
	}
}

func (c *connCheck) notReady(ctx context.Context, state connectivity.State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	reason := ""
	if state == connectivity.TransientFailure {
		// A call that does not wait fails here without reaching anybody, and its
		// status is the only place where grpc-go gives the reason.
		_, err := c.call(ctx, "")
		if err == nil || c.cc.GetState() == connectivity.Ready { // by now it is
			return nil
		}
		reason = ": " + status.Convert(err).Message()
	}
	return fmt.Errorf("no connection, it is %v%s; check the address and the credentials, and that the server is up and may be reached from here", state, reason)
}

func (c *connCheck) ask(ctx context.Context, service string) error {
	resp, err := c.call(ctx, service)
	switch status.Code(err) {
	case codes.OK:
		if got := resp.GetStatus(); got != healthpb.HealthCheckResponse_SERVING {
			return fmt.Errorf("service %q is %v; ask that server why", service, got)
		}
		return nil
	case codes.Unimplemented:
		return nil
	case codes.NotFound:
		return fmt.Errorf("the server does not know the service %q; check its name", service)
	default:
		return fmt.Errorf("asking for the health of service %q: %w", service, err)
	}
}

func (c *connCheck) call(ctx context.Context, service string) (*healthpb.HealthCheckResponse, error) {
	return healthpb.NewHealthClient(c.cc).Check(ctx, &healthpb.HealthCheckRequest{Service: service}, grpc.WaitForReady(false))
}

// redactTarget returns the target of a connection without what may be secret.
func redactTarget(target string) string {
	if u, err := url.Parse(target); err == nil {
		target = redact(u)
	}
	// A target is also what does not parse, such as 10.0.0.1:443, and grpc-go
	// takes userinfo in dns:///user@host for a part of the host's name.
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	return target[strings.LastIndexByte(target, '@')+1:]
}

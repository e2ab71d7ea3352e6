package healthcmd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// explain turns the error of a call into a fault. For an unknown service it
// asks the server which it knows, within what is left of the time.
func explain(ctx context.Context, r *request, client healthpb.HealthClient, err error) *fault {
	s, cause := status.Convert(err), context.Cause(ctx)
	switch {
	case errors.Is(cause, context.DeadlineExceeded) && (s.Code() == codes.DeadlineExceeded || s.Code() == codes.Canceled),
		s.Code() == codes.DeadlineExceeded && almostOver(ctx, r):
		return callFault(r, "connected, but the call was not answered within %v; the server hangs or needs a larger --timeout", r.call)
	case errors.Is(cause, context.Canceled) && s.Code() == codes.Canceled:
		return interrupted(r)
	}
	switch s.Code() {
	case codes.NotFound:
		return unknownService(r, known(ctx, client))
	case codes.Unimplemented:
		return callFault(r, "the server has no health service (grpc.health.v1); register it there, or check the port")
	case codes.Unauthenticated, codes.PermissionDenied:
		return callFault(r, "the server refuses the call: %s; ask its probe port, or exempt grpc.health.v1.Health from authorisation", statusText(s))
	case codes.Unavailable:
		return callFault(r, "the server is unavailable: %s; ask again, and see its log and that of proxies on the way", statusText(s))
	default:
		return callFault(r, "the call failed: %s; see the log of the server", statusText(s))
	}
}

// almostOver reports whether the time of a call has run out for the server,
// which is told of the deadline and may be the first to notice.
func almostOver(ctx context.Context, r *request) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < r.call/10
}

// statusText holds what the peer says in bounds.
func statusText(s *status.Status) string {
	if s.Message() == "" {
		return s.Code().String()
	}
	return s.Code().String() + " " + list([]string{s.Message()})
}

// known returns the names that the server lists, nil where it does not.
func known(ctx context.Context, client healthpb.HealthClient) []string {
	response, err := client.List(ctx, &healthpb.HealthListRequest{})
	if err != nil {
		return nil // List is newer than Check; the verdict stands without it
	}
	return slices.Sorted(maps.Keys(response.GetStatuses()))
}

func unknownService(r *request, known []string) *fault {
	if len(known) == 0 {
		return newFault(r, kindUnknownService, exitUnknownService,
			"the server does not know service %.200q; check the name, package.Service as in the .proto", r.service)
	}
	return newFault(r, kindUnknownService, exitUnknownService,
		"the server does not know service %.200q; ask for one of %s", r.service, list(known))
}

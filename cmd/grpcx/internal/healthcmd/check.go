package healthcmd

import (
	"context"
	"errors"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// check asks once, prints the answer and returns an error with the exit code
// unless it is SERVING.
func check(ctx context.Context, r *request, p *printer) error {
	result, err := ask(ctx, r)
	if printErr := p.print(result, err); printErr != nil {
		return cli.Exit(cli.Failed, printErr)
	}
	return exit(err)
}

// exit gives an error the exit code of its fault.
func exit(err error) error {
	if fault, ok := errors.AsType[*fault](err); ok {
		return cli.Exit(fault.code, fault)
	}
	return err
}

// ask connects and makes one call.
func ask(ctx context.Context, r *request) (answer, error) {
	ctx = metadata.NewOutgoingContext(ctx, r.headers)
	if r.total > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.total)
		defer cancel()
	}
	conn, err := connect(ctx, r)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close() // it has no other error than that it is closed
	ctx, cancel := context.WithTimeout(ctx, r.call)
	defer cancel()
	start := time.Now()
	client := healthpb.NewHealthClient(conn)
	response, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: r.service})
	result := answer{connect: conn.took, call: time.Since(start), tls: conn.attempt.tlsState()}
	if err != nil {
		fault := explain(ctx, r, client, err)
		if fault.code == exitUnknownService {
			result.status = healthpb.HealthCheckResponse_SERVICE_UNKNOWN.String()
		}
		return result, fault
	}
	result.status = response.GetStatus().String()
	return result, verdict(r, response.GetStatus())
}

// verdict returns nil for SERVING alone.
func verdict(r *request, status healthpb.HealthCheckResponse_ServingStatus) error {
	what := "the server"
	if r.service != "" {
		what = "service " + list([]string{r.service})
	}
	switch status {
	case healthpb.HealthCheckResponse_SERVING:
		return nil
	case healthpb.HealthCheckResponse_SERVICE_UNKNOWN:
		return unknownService(r, nil)
	case healthpb.HealthCheckResponse_NOT_SERVING:
		return newFault(r, kindNotServing, exitNotServing, "%s is NOT_SERVING; see its log for the failing check, or wait if it starts or stops", what)
	default:
		return newFault(r, kindNotServing, exitNotServing, "%s is %s, which is not SERVING; set its status on the server", what, status)
	}
}

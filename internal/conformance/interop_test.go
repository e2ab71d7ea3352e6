package conformance_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// target is a server as a client of the interop cases sees it.
type target struct {
	addr string
	dial func() *grpc.ClientConn
	conn *grpc.ClientConn
}

type testCase struct {
	name string
	run  func(context.Context, target)
}

func onClient(run func(context.Context, testgrpc.TestServiceClient)) func(context.Context, target) {
	return func(ctx context.Context, to target) { run(ctx, testgrpc.NewTestServiceClient(to.conn)) }
}

func unaryOrStream(run func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, target) {
	return func(ctx context.Context, to target) { run(ctx, testgrpc.NewTestServiceClient(to.conn)) }
}

// cases are those of grpc-go's interop client, by the names that they have
// there, but for those that need Google's credentials (*_creds,
// *_credentials, oauth2_auth_token) and for pick_first_unary, which asks for a
// server ID that the test server of grpc-go does not fill in.
var cases = []testCase{
	{"empty_unary", unaryOrStream(interop.DoEmptyUnaryCall)},
	{"large_unary", unaryOrStream(interop.DoLargeUnaryCall)},
	{"client_streaming", unaryOrStream(interop.DoClientStreaming)},
	{"server_streaming", unaryOrStream(interop.DoServerStreaming)},
	{"ping_pong", unaryOrStream(interop.DoPingPong)},
	{"empty_stream", unaryOrStream(interop.DoEmptyStream)},
	{"timeout_on_sleeping_server", unaryOrStream(interop.DoTimeoutOnSleepingServer)},
	{"cancel_after_begin", unaryOrStream(interop.DoCancelAfterBegin)},
	{"cancel_after_first_response", unaryOrStream(interop.DoCancelAfterFirstResponse)},
	{"custom_metadata", unaryOrStream(interop.DoCustomMetadata)},
	{"status_code_and_message", unaryOrStream(interop.DoStatusCodeAndMessage)},
	{"special_status_message", unaryOrStream(interop.DoSpecialStatusMessage)},
	{"unimplemented_method", func(ctx context.Context, to target) { interop.DoUnimplementedMethod(ctx, to.conn) }},
	{"unimplemented_service", func(ctx context.Context, to target) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(to.conn))
	}},
	{"orca_per_rpc", onClient(interop.DoORCAPerRPCTest)},
	{"orca_oob", onClient(interop.DoORCAOOBTest)},
	{"rpc_soak", func(ctx context.Context, to target) {
		interop.DoSoakTest(ctx, soak(to, func() (*grpc.ClientConn, func()) { return to.conn, func() {} }))
	}},
	{"channel_soak", func(ctx context.Context, to target) {
		interop.DoSoakTest(ctx, soak(to, func() (*grpc.ClientConn, func()) {
			conn := to.dial()
			return conn, func() { _ = conn.Close() }
		}))
	}},
}

func soak(to target, channel func() (*grpc.ClientConn, func())) interop.SoakTestConfig {
	return interop.SoakTestConfig{
		RequestSize: 271828, ResponseSize: 314159,
		PerIterationMaxAcceptableLatency: 10 * time.Second, OverallTimeout: caseLimit,
		ServerAddr: to.addr, NumWorkers: 2, Iterations: 20, ChannelForTest: channel,
	}
}

const caseLimit = 60 * time.Second

// runCase calls a case and turns its failure into one of the test.
func runCase(t *testing.T, c testCase, to target) {
	t.Helper()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			t.Error(strings.TrimSpace(string(p)))
		default:
			panic(p)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), caseLimit)
	defer cancel()
	c.run(ctx, to)
}

// runCases runs every case against one server, at addr.
func runCases(t *testing.T, addr string, dial func(*testing.T) *grpc.ClientConn) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			runCase(t, c, target{addr: addr, dial: func() *grpc.ClientConn { return dial(t) }, conn: dial(t)})
		})
	}
}

// Every case of grpc-go's interop client passes with every default on, mutual
// TLS and telemetry that records.
func TestInterop(t *testing.T) {
	srv := newWoven(t)
	t.Run("cases", func(t *testing.T) {
		runCases(t, srv.addr, func(t *testing.T) *grpc.ClientConn { return dial(t, srv.addr, srv.certs) })
	})
	assert.NoError(t, srv.Stop())
	calls, spans := srv.measured(t), len(srv.spans.Ended())
	assert.True(t, calls > 60, "the calls of the cases were measured")
	assert.Equal(t, spans, int(calls), "spans")
	t.Logf("%d cases, %d calls", len(cases), calls)
}

// The cases can fail: without the service all do but for those that end before
// a server answers, or ask for nothing else. The soaks only repeat large_unary.
func TestInteropCanFail(t *testing.T) {
	conn := grpcxtest.New(t, grpcx.WithLogger(slog.New(slog.DiscardHandler))).Conn
	leftOut := []string{
		"timeout_on_sleeping_server", "cancel_after_begin", "unimplemented_method", "unimplemented_service",
		"rpc_soak", "channel_soak",
	}
	for _, c := range cases {
		if slices.Contains(leftOut, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if _, ok := recover().(failure); !ok {
					t.Error("passed without a service")
				}
			}()
			c.run(t.Context(), target{conn: conn})
		})
	}
}

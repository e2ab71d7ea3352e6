package healthcmd_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/internal/assert"
)

func TestServing(t *testing.T) {
	s := serve(t, listen(t), nil)
	got := run(t, s.addr)
	assert.Equal(t, got.code, 0, got.errout)
	assert.Contains(t, got.out, "SERVING "+s.addr+" connect=", " call=")
	assert.Equal(t, got.errout, "")
	got = run(t, s.addr, "--service", "up")
	assert.Equal(t, got.code, 0, got.errout)
	assert.Contains(t, got.out, ` service="up"`)
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	lis, err := net.Listen("unix", path)
	assert.NoError(t, err)
	serve(t, lis, nil)
	got := run(t, "unix:"+path)
	assert.Equal(t, got.code, 0, got.errout)
	run(t, "unix:"+path+"x").wantError(t, 5, "no connection", "no such file", "check the path of the socket")
}

func TestNotServing(t *testing.T) {
	s := serve(t, listen(t), nil)
	run(t, s.addr, "--service", "down").wantError(t, 4, s.addr, `service "down" is NOT_SERVING`, "see its log")
	run(t, s.addr, "--service", "odd").wantError(t, 4, `service "odd" is UNKNOWN`, "set its status")
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	run(t, s.addr).wantError(t, 4, "the server is NOT_SERVING")
}

func TestUnknownService(t *testing.T) {
	s := serve(t, listen(t), nil)
	run(t, s.addr, "--service", "upp").wantError(t, 7, `does not know service "upp"`, `ask for one of "", "down", "odd", "up"`)
}

func TestUnknownServiceWithoutList(t *testing.T) {
	refuse := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if strings.HasSuffix(info.FullMethod, "/List") {
			return nil, status.Error(codes.Unimplemented, "")
		}
		return handler(ctx, req)
	}
	s := serve(t, listen(t), nil, grpc.UnaryInterceptor(refuse))
	run(t, s.addr, "--service", "upp").wantError(t, 7, `does not know service "upp"`, "check the name")
}

func TestDeadPort(t *testing.T) {
	addr := closedPort(t)
	run(t, addr).wantError(t, 5, addr+": no connection", "connection refused", "start the server")
	run(t, addr, "--tls").wantError(t, 5, "connection refused")
}

func TestUnknownHost(t *testing.T) {
	got := run(t, "no-such-host.invalid:50051", "--timeout", "5s")
	got.wantError(t, 5, "no-such-host.invalid", "check")
}

// A peer that accepts, or whose backlog accepts for it, and never says a word.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	backlog := listen(t).Addr().String() // nobody calls Accept
	silent := raw(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = io.Copy(io.Discard, conn)
	})
	for _, addr := range []string{backlog, silent} {
		for _, flags := range [][]string{nil, {"--tls"}, {"--watch"}, {"-o", "json", "--tls"}} {
			got := run(t, append([]string{addr, "--timeout", "300ms"}, flags...)...)
			assert.Equal(t, got.code, 5, got.errout)
			assert.Contains(t, got.errout, "connected, but no answer within 300ms", "larger --timeout")
			within(t, got.took, 300*time.Millisecond)
		}
	}
}

// within allows for a busy machine.
func within(t *testing.T, took, timeout time.Duration) {
	t.Helper()
	assert.True(t, took >= timeout-time.Millisecond && took < timeout+2*time.Second, took.String())
}

func TestHangingCall(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	hangStream := func(_ any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
		<-stream.Context().Done()
		return nil
	}
	s := serve(t, listen(t), nil, grpc.UnaryInterceptor(hang), grpc.StreamInterceptor(hangStream))
	for _, flags := range [][]string{
		{"--timeout", "300ms"},
		{"--timeout", "300ms", "--watch"},
		{"--rpc-timeout", "300ms"},
	} {
		got := run(t, append([]string{s.addr}, flags...)...)
		got.wantError(t, 3, "the call was not answered within 300ms")
		within(t, got.took, 300*time.Millisecond)
	}
}

// The server is told of the deadline, and may say so first.
func TestServerThatNoticesTheDeadlineFirst(t *testing.T) {
	t.Parallel()
	early := func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		deadline, _ := ctx.Deadline()
		<-time.After(time.Until(deadline) - 20*time.Millisecond)
		return nil, status.Error(codes.DeadlineExceeded, "theirs")
	}
	s := serve(t, listen(t), nil, grpc.UnaryInterceptor(early))
	run(t, s.addr, "--timeout", "500ms").wantError(t, 3, "the call was not answered within 500ms")
}

func TestRefusedCall(t *testing.T) {
	for _, test := range []struct {
		err   error
		parts []string
	}{
		{status.Error(codes.Unimplemented, "no"), []string{"has no health service", "check the port"}},
		{status.Error(codes.PermissionDenied, "not\nyou\x1b[2J"), []string{`PermissionDenied "not\nyou\x1b[2J"`, "probe port"}},
		{status.Error(codes.Unauthenticated, ""), []string{"refuses the call: Unauthenticated;"}},
		{status.Error(codes.Unavailable, "later"), []string{`unavailable: Unavailable "later"`, "ask again"}},
		{status.Error(codes.Internal, strings.Repeat("x", 1000)), []string{"the call failed: Internal", "log of the server"}},
		{status.Error(codes.DeadlineExceeded, "theirs"), []string{`the call failed: DeadlineExceeded "theirs"`}},
	} {
		refuse := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, test.err
		}
		refuseStream := func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { return test.err }
		s := serve(t, listen(t), nil, grpc.UnaryInterceptor(refuse), grpc.StreamInterceptor(refuseStream))
		for _, flags := range [][]string{nil, {"--watch"}} {
			got := run(t, append([]string{s.addr}, flags...)...)
			got.wantError(t, 3, test.parts...)
			assert.True(t, len(got.errout) < 500, got.errout)
		}
	}
}

func TestNoHealthService(t *testing.T) {
	lis := listen(t)
	s := &server{grpc: grpc.NewServer()}
	s.start(t, lis)
	run(t, lis.Addr().String()).wantError(t, 3, "no health service (grpc.health.v1)")
}

func TestOtherProtocols(t *testing.T) {
	for _, test := range []struct {
		says  string
		parts []string
	}{
		{"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", []string{"speaks HTTP/1, not gRPC", "check the port"}},
		{"SSH-2.0-OpenSSH_9.2\r\n", []string{"neither gRPC nor TLS", `"SSH-2.0-OpenSSH_9.2\r\n"`}},
		{"\x15\x03\x01\x00\x02\x02\x46", []string{"speaks TLS", "--ca FILE"}},
		{"", []string{"closed the connection", "add --tls"}},
	} {
		addr := raw(t, func(conn net.Conn) { reply(conn, test.says) })
		run(t, addr).wantError(t, 5, test.parts...)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	lis := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	got := runContext(ctx, lis.Addr().String(), "--timeout", "1m")
	got.wantError(t, 1, "interrupted before an answer")
}

func TestJSON(t *testing.T) {
	s := serve(t, listen(t), nil)
	for _, test := range []struct {
		args         []string
		code         int
		status, kind string
	}{
		{[]string{s.addr}, 0, "SERVING", ""},
		{[]string{s.addr, "--service", "down"}, 4, "NOT_SERVING", "not_serving"},
		{[]string{s.addr, "--service", "odd"}, 4, "UNKNOWN", "not_serving"},
		{[]string{s.addr, "--service", "none"}, 7, "SERVICE_UNKNOWN", "unknown_service"},
		{[]string{closedPort(t)}, 5, "", "connect"},
		{[]string{s.addr, "--tls"}, 6, "", "tls"},
	} {
		got := run(t, append(test.args, "-o", "json")...)
		assert.Equal(t, got.code, test.code, got.errout)
		var object map[string]any
		assert.NoError(t, json.Unmarshal([]byte(got.out), &object), got.out)
		for key, want := range map[string]any{
			"address": test.args[0], "status": test.status, "exit_code": float64(test.code), "error_kind": test.kind, "tls": nil,
		} {
			assert.Equal(t, object[key], want, key, got.out)
		}
		for _, key := range []string{"time", "service", "error", "connect_seconds", "call_seconds"} {
			_, ok := object[key]
			assert.True(t, ok, key)
		}
		text, _ := object["error"].(string)
		assert.Equal(t, "grpcx: "+text+"\n", map[bool]string{true: "grpcx: \n", false: got.errout}[test.code == 0])
	}
}

// seen is what the last call on a server looked like.
type seen struct{ agent, encoding, token string }

func (*seen) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*seen) HandleConn(context.Context, stats.ConnStats)                       {}
func (*seen) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }

func (s *seen) HandleRPC(_ context.Context, event stats.RPCStats) {
	if header, ok := event.(*stats.InHeader); ok {
		s.token = strings.Join(header.Header["x-token"], ",")
		s.agent, s.encoding = strings.Join(header.Header["user-agent"], ""), header.Compression
	}
}

// What grpc-health-probe is called with means the same here.
func TestFlagsOfGRPCHealthProbe(t *testing.T) {
	t.Parallel()
	var call seen
	s := serve(t, listen(t), nil, grpc.StatsHandler(&call))
	got := run(t, "--addr="+s.addr, "--service=up", "--connect-timeout=2s", "--rpc-timeout=2s", "--user-agent=kubelet", "--gzip",
		"--rpc-header=X-Token: a: b", "--rpc-header", "x-token:c")
	assert.Equal(t, got.code, 0, got.errout)
	assert.Contains(t, call.agent, "kubelet grpc-go/")
	assert.Equal(t, call.encoding, "gzip")
	assert.Equal(t, call.token, "a: b,c")
	w := startWatch(t, s.addr, "--rpc-header=X-Token: d")
	w.next("SERVING")
	w.end(0)
	assert.Equal(t, call.token, "d")
	run(t, s.addr)
	assert.Contains(t, call.agent, "grpcx-health/")
	assert.Equal(t, call.encoding, "")
	lis := listen(t)
	got = run(t, "--addr", lis.Addr().String(), "--connect-timeout=200ms", "--rpc-timeout=1m")
	got.wantError(t, 5, "within 200ms")
	within(t, got.took, 200*time.Millisecond)
	run(t, "-addr="+s.addr).wantError(t, 2, "write --addr")
}

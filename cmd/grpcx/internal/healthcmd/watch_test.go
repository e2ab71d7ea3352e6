package healthcmd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/healthcmd"
	"github.com/grpcx-go/sdk/internal/assert"
)

// A watching is a running "grpcx health --watch".
type watching struct {
	t      *testing.T
	lines  *bufio.Scanner
	stop   context.CancelFunc
	code   chan int
	errout bytes.Buffer
}

func startWatch(t *testing.T, args ...string) *watching {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	watch := &watching{t: t, lines: bufio.NewScanner(r), stop: stop, code: make(chan int, 1)}
	go func() {
		watch.code <- cli.Run(ctx, cli.Streams{In: strings.NewReader(""), Out: w, Err: &watch.errout},
			append([]string{"health", "--watch", "--timeout", "10s"}, args...), healthcmd.New)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		stop()
		_ = r.Close() // ends a write that nobody reads
	})
	return watch
}

// next waits for the next line and checks it.
func (w *watching) next(parts ...string) string {
	w.t.Helper()
	if !w.lines.Scan() {
		w.t.Fatalf("no more lines, want one with %q; standard error: %s", parts, w.errout.String())
	}
	assert.Contains(w.t, w.lines.Text(), parts...)
	return w.lines.Text()
}

// end interrupts it and checks the exit code.
func (w *watching) end(code int) {
	w.t.Helper()
	w.stop()
	assert.True(w.t, !w.lines.Scan(), w.lines.Text())
	assert.Equal(w.t, <-w.code, code)
	assert.Equal(w.t, w.errout.String(), "")
}

func TestWatch(t *testing.T) {
	s := serve(t, listen(t), nil)
	w := startWatch(t, s.addr, "--service", "up")
	line := w.next("Z SERVING "+s.addr, `service="up"`, "connect=", "call=")
	assert.Equal(t, strings.Index(line, " "), len("2006-01-02T15:04:05.000Z"))
	s.health.SetServingStatus("up", healthpb.HealthCheckResponse_NOT_SERVING)
	w.next("Z NOT_SERVING")
	s.health.SetServingStatus("up", healthpb.HealthCheckResponse_SERVING)
	w.next("Z SERVING")
	w.end(0)
}

func TestWatchEndsWithTheCodeOfTheLastLine(t *testing.T) {
	s := serve(t, listen(t), nil)
	w := startWatch(t, s.addr, "--service", "down")
	w.next("NOT_SERVING")
	w.end(4)
	w = startWatch(t, s.addr, "--service", "later")
	w.next("SERVICE_UNKNOWN")
	s.health.SetServingStatus("later", healthpb.HealthCheckResponse_SERVING)
	w.next("Z SERVING")
	w.end(0)
	w = startWatch(t, s.addr, "--service", "none")
	w.next("SERVICE_UNKNOWN")
	w.end(7)
}

func TestWatchFollowsARestart(t *testing.T) {
	t.Parallel()
	lis := listen(t)
	s := serve(t, lis, nil)
	w := startWatch(t, s.addr, "-o", "json")
	status := func() (status, kind string) {
		var line struct {
			Status    string `json:"status"`
			ErrorKind string `json:"error_kind"`
		}
		assert.NoError(t, json.Unmarshal([]byte(w.next()), &line))
		return line.Status, line.ErrorKind
	}
	first, _ := status()
	assert.Equal(t, first, "SERVING")
	s.grpc.Stop()
	lost, kind := status()
	assert.Equal(t, lost+" "+kind, " call")
	_, kind = status()
	assert.Equal(t, kind, "connect")
	again, err := net.Listen("tcp", s.addr)
	assert.NoError(t, err)
	serve(t, again, nil)
	back, _ := status()
	assert.Equal(t, back, "SERVING")
	w.end(0)
}

func TestWatchSaysWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, listen(t), nil)
	w := startWatch(t, s.addr)
	w.next("SERVING")
	s.grpc.Stop()
	w.next("Z NO_ANSWER " + s.addr + ": the server is unavailable")
	w.next("Z NO_ANSWER " + s.addr + ": no connection: connect: connection refused")
	w.end(5)
}

func TestWatchOfAStreamThatEnds(t *testing.T) {
	t.Parallel()
	end := func(_ any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
		return stream.SendMsg(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING})
	}
	s := serve(t, listen(t), nil, grpc.StreamInterceptor(end))
	w := startWatch(t, s.addr)
	w.next("SERVING")
	w.next("NO_ANSWER", "ended the watch")
	w.next("SERVING")
	w.stop()
}

func TestWatchWithoutAFirstAnswer(t *testing.T) {
	addr := closedPort(t)
	run(t, addr, "--watch").wantError(t, 5, "connection refused")
	got := run(t, addr, "--watch", "-o", "json")
	assert.Equal(t, got.code, 5)
	assert.Contains(t, got.out, `"error_kind":"connect"`)
}

// brokenPipe fails every write.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	s := serve(t, listen(t), nil)
	for _, flags := range [][]string{nil, {"--watch"}, {"-o", "json"}} {
		var errout bytes.Buffer
		code := cli.Run(t.Context(), cli.Streams{Out: brokenPipe{}, Err: &errout}, append([]string{"health", s.addr}, flags...), healthcmd.New)
		assert.Equal(t, code, 1)
		assert.Contains(t, errout.String(), "no space left")
	}
}

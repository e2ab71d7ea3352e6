package grpcx_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// drainChildEnv holds a drainSpec: TestMain then runs a server instead of the
// tests, so that signals reach a whole process.
const drainChildEnv = "GRPCX_TEST_DRAIN_CHILD"

// drainSpec says what server a child process runs.
type drainSpec struct {
	Drain   grpcx.Drain
	CertDir string // of development certificates; empty is plaintext
	Tasks   int    // background tasks that never end
	Hooks   int    // stop hooks that never end
}

// drainEvent is what the child says: its addresses once it is ready, then what
// Run returned.
type drainEvent struct {
	Addr, Probe, Admin string
	Returned           bool
	Error              string
	Drain              *grpcx.DrainError
}

// drainService has one behaviour per method. Streams send their headers first,
// so that a client knows that the handler runs.
type drainService struct {
	testgrpc.UnimplementedTestServiceServer
}

func (drainService) EmptyCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	return &testgrpc.Empty{}, nil
}

// UnaryCall replies with as much as it is asked for.
func (drainService) UnaryCall(_ context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: make([]byte, req.GetResponseSize())}}, nil
}

func (drainService) CacheableUnaryCall(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	runtime.Goexit()
	return nil, nil
}

func (drainService) HalfDuplexCall(testgrpc.TestService_HalfDuplexCallServer) error {
	runtime.Goexit()
	return nil
}

// FullDuplexCall stays open until its context ends.
func (drainService) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

// StreamingInputCall ignores its context.
func (drainService) StreamingInputCall(stream testgrpc.TestService_StreamingInputCallServer) error {
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	select {}
}

// StreamingOutputCall sends without end.
func (drainService) StreamingOutputCall(_ *testgrpc.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer) error {
	msg := &testgrpc.StreamingOutputCallResponse{Payload: &testgrpc.Payload{Body: make([]byte, 64<<10)}}
	for {
		if err := stream.Send(msg); err != nil {
			return err
		}
	}
}

// runDrainChild is the main function of a child process.
func runDrainChild(text string) int {
	go func() { // the child does not outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	out := json.NewEncoder(os.Stdout)
	fail := func(err error) int {
		_ = out.Encode(drainEvent{Returned: true, Error: "child: " + err.Error()})
		return 1
	}
	var spec drainSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return fail(err)
	}
	transport := grpcx.WithInsecure()
	if spec.CertDir != "" {
		certs, err := devcert.Dir(spec.CertDir)
		if err != nil {
			return fail(err)
		}
		transport = grpcx.WithTLSFiles(certs.ServerFiles())
	}
	srv, err := grpcx.New(transport,
		grpcx.WithAddr("127.0.0.1:0"), grpcx.WithProbeAddr("127.0.0.1:0"), withAdmin(), grpcx.WithDrain(spec.Drain),
		grpcx.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
		grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			for range spec.Hooks {
				s.OnStop("hook", func(context.Context) error { select {} })
			}
			for range spec.Tasks {
				s.Go("task", func(context.Context) error { select {} })
			}
			return nil
		}))
	if err != nil {
		return fail(err)
	}
	testgrpc.RegisterTestServiceServer(srv, drainService{})
	said := make(chan struct{})
	go func() {
		defer close(said)
		select {
		case <-srv.Ready():
			_ = out.Encode(drainEvent{Addr: srv.Addrs()[0].String(), Probe: srv.ProbeAddr().String(), Admin: srv.AdminAddr().String()})
		case <-srv.Done():
		}
	}()
	err = srv.Run(context.Background())
	<-said
	last := drainEvent{Returned: true}
	if err != nil {
		last.Error = err.Error()
		last.Drain, _ = errors.AsType[*grpcx.DrainError](err)
	}
	_ = out.Encode(last)
	return 0
}

// drainChild is a child process with a server.
type drainChild struct {
	cmd    *exec.Cmd
	events chan drainEvent
	logs   *logBuffer
	addr   string
	probe  string
	admin  string
	client *tls.Config // nil for plaintext
	after  []func()    // what the peers check when the server has stopped
}

const childLimit = 30 * time.Second // for what has no bound of its own

// startDrainChild starts a child and waits until it is ready.
func startDrainChild(t *testing.T, spec drainSpec, mutual bool) *drainChild {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to send")
	}
	c := &drainChild{events: make(chan drainEvent, 2), logs: new(logBuffer)}
	if mutual {
		spec.CertDir = t.TempDir()
		certs, err := devcert.Dir(spec.CertDir)
		assert.NoError(t, err)
		c.client = tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost"))
		c.client.NextProtos = []string{"h2"}
	}
	exe, err := os.Executable()
	assert.NoError(t, err)
	c.cmd = exec.Command(exe)
	c.cmd.Env = append(os.Environ(), drainChildEnv+"="+mustJSON(t, spec))
	c.cmd.Stderr = c.logs
	stdin, err := c.cmd.StdinPipe()
	assert.NoError(t, err)
	stdout, err := c.cmd.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, c.cmd.Start())
	read := background(func() {
		defer close(c.events)
		for in := json.NewDecoder(stdout); ; {
			var ev drainEvent
			if in.Decode(&ev) != nil {
				return
			}
			c.events <- ev
		}
	})
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = c.cmd.Process.Kill()
		<-read
		_ = c.cmd.Wait()
		if t.Failed() {
			t.Logf("log of the child:\n%s", c.logs)
		}
	})
	ready := c.next(t, childLimit)
	c.addr, c.probe, c.admin = ready.Addr, ready.Probe, ready.Admin
	if c.addr == "" {
		t.Fatalf("the child did not start: %+v", ready)
	}
	return c
}

func (c *drainChild) next(t *testing.T, limit time.Duration) drainEvent {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case ev, ok := <-c.events:
		if !ok {
			t.Fatal("the child ended without a word")
		}
		return ev
	case <-timer.C:
		t.Fatalf("the child said nothing for %v", limit)
		return drainEvent{}
	}
}

func (c *drainChild) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	assert.NoError(t, c.cmd.Process.Signal(sig))
}

// stopped waits for Run to return and reports how long that took since begin.
func (c *drainChild) stopped(t *testing.T, begin time.Time) (drainEvent, time.Duration) {
	t.Helper()
	ev := c.next(t, childLimit)
	return ev, time.Since(begin)
}

// dial makes a grpc-go client.
func (c *drainChild) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if c.client != nil {
		creds = credentials.NewTLS(c.client)
	}
	conn, err := grpc.NewClient(c.addr, grpc.WithTransportCredentials(creds))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// socket opens a TCP connection.
func (c *drainChild) socket(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// secured opens a connection up to where HTTP/2 begins.
func (c *drainChild) secured(t *testing.T) net.Conn {
	t.Helper()
	conn := c.socket(t, c.addr)
	if c.client == nil {
		return conn
	}
	over := tls.Client(conn, c.client)
	assert.NoError(t, over.HandshakeContext(t.Context()))
	return over
}

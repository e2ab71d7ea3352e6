package promx_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/promx"
	"github.com/grpcx-go/sdk/tlsx"
)

// faulty fails in one method and panics in another.
type faulty struct{ service }

func (faulty) UnaryCall(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return nil, status.Error(codes.Internal, "of the test")
}

func (faulty) UnimplementedCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	panic("of the test")
}

// authority signs for one test.
type authority struct {
	*certtest.CA

	client *certtest.Leaf
}

func newAuthority(t *testing.T) *authority {
	ca := certtest.NewCA(t, "root")
	return &authority{ca, ca.Issue(t, certtest.Client)}
}

// files writes the files of a server whose certificate is good until then.
func (a *authority) files(t *testing.T, until time.Time) tlsx.Files {
	dir := t.TempDir()
	leaf := certtest.Server
	leaf.NotAfter = until
	cert, key := a.Issue(t, leaf).Write(t, dir, "server")
	return tlsx.Files{Cert: cert, Key: key, ClientCA: a.Write(t, dir, "ca.crt")}
}

func (a *authority) dial(t *testing.T, addr net.Addr) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: "localhost",
		Certificates: []tls.Certificate{a.client.TLS()}, RootCAs: a.Pool(),
	})))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// start serves on loopback.
func start(t *testing.T, opts ...grpcx.Option) *grpcx.Server {
	t.Helper()
	srv, err := grpcx.New(append([]grpcx.Option{
		grpcx.WithAddr("127.0.0.1:0"), withAdmin(),
		grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: time.Second, Stop: 30 * time.Second}),
		grpcx.WithTelemetry(grpcx.Telemetry{Messages: true}),
		new(logBuffer).option(),
	}, opts...)...)
	assert.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(context.Background())
	}()
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		<-served
	})
	eventually(t, "a server is up", func() error {
		select {
		case <-served:
			t.Fatal("the server ended")
		default:
		}
		if srv.AdminAddr() == nil || srv.Health().Report().Running == false {
			return errors.New("not running")
		}
		return nil
	})
	return srv
}

// startHealthy is a server that nothing is wrong with.
func startHealthy(t *testing.T, a *authority, page grpcx.Option) *grpcx.Server {
	srv := start(t, page, grpcx.WithTLSFiles(a.files(t, time.Now().Add(12*time.Hour))), serving(nil),
		grpcx.WithCheck("fine", func(context.Context) error { return nil }))
	keepCalling(t, a.dial(t, srv.Addrs()[0]))
	return srv
}

// startFaulty is a server that nearly everything is wrong with.
func startFaulty(t *testing.T, a *authority, page grpcx.Option) *grpcx.Server {
	files := a.files(t, time.Now().Add(10*time.Minute))
	srv := start(t, page, grpcx.WithTLSFiles(files),
		grpcx.WithTracerProvider(sdktrace.NewTracerProvider()),
		grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, faulty{}) }),
		grpcx.WithCheck("database", func(context.Context) error { return errors.New("is away") }, healthx.Interval(time.Second)))
	keepCalling(t, a.dial(t, srv.Addrs()[0]))
	assert.NoError(t, os.WriteFile(files.Key, []byte("not a key"), 0o600))
	return srv
}

// keepCalling makes calls until the test ends.
func keepCalling(t *testing.T, conn *grpc.ClientConn) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		c := testgrpc.NewTestServiceClient(conn)
		for ctx.Err() == nil {
			_, _ = c.UnaryCall(ctx, new(testgrpc.SimpleRequest))
			_, _ = c.EmptyCall(ctx, new(testgrpc.Empty))
			_, _ = c.UnimplementedCall(ctx, new(testgrpc.Empty))
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// startStuck is a server with a call that waits for the end of its context. The
// returned function stops it.
func startStuck(t *testing.T, page grpcx.Option) (*grpcx.Server, func()) {
	entered := make(chan struct{})
	srv := start(t, page, grpcx.WithInsecure(), serving(func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}))
	conn, err := grpc.NewClient(srv.Addrs()[0].String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		_, _ = testgrpc.NewTestServiceClient(conn).UnaryCall(context.Background(), new(testgrpc.SimpleRequest))
	}()
	<-entered
	return srv, func() { go func() { _ = srv.Shutdown(context.Background()) }() }
}

// childEnv makes this test binary be the server of runShort.
const childEnv = "GRPCX_PROMX_CHILD"

// startShort is a server of another process that is short of memory.
func startShort(t *testing.T) net.Addr {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1", "GOMEMLIMIT=40MiB")
	stdin, err := cmd.StdinPipe()
	assert.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		assert.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	assert.NoError(t, err)
	addr, err := net.ResolveTCPAddr("tcp", line[:len(line)-1])
	assert.NoError(t, err)
	return addr
}

// runShort keeps more than the limit in use and makes garbage, until nobody
// reads along.
func runShort() int {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), withAdmin(), promx.New(),
		grpcx.WithDrain(grpcx.Drain{Delay: -1}), new(logBuffer).option())
	if err != nil {
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-srv.Ready()
		fmt.Println(srv.AdminAddr())
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	kept := make([]*[1 << 10]*int, 60<<7) // 60 MiB
	for i := range kept {
		kept[i] = new([1 << 10]*int)
	}
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			kept[i%len(kept)] = new([1 << 10]*int)
		}
	}()
	if srv.Run(ctx) != nil {
		return 1
	}
	return 0
}

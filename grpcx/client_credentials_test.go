package grpcx_test

import (
	"context"
	"crypto/x509"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// memorySource is a source whose owner swaps snapshots.
type memorySource struct{ now atomic.Pointer[tlsx.Snapshot] }

func (m *memorySource) Current() *tlsx.Snapshot  { return m.now.Load() }
func (m *memorySource) Changed() <-chan struct{} { return nil }

func (m *memorySource) set(t *testing.T, material tlsx.Material) {
	t.Helper()
	next, err := new(tlsx.Snapshot).Next(material)
	if was := m.now.Load(); was != nil {
		next, err = was.Next(material)
	}
	assert.NoError(t, err)
	m.now.Store(next)
}

// A client whose certificate is renewed moves to a new connection without
// losing a call, however often, and nothing else makes it move.
func TestClientCredentialsFollow(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	server, err := tlsx.NewSnapshot(tlsx.Material{Certificate: ca.Issue(t, certtest.Server).TLS(), ClientCAs: []*x509.Certificate{ca.Cert}})
	assert.NoError(t, err)
	var caller atomic.Value // of the last unary call
	name := func(ctx context.Context) string { id, _ := grpcx.PeerIdentity(ctx); return id.String() }
	srv, err := grpcx.New(grpcx.WithTLS(tlsx.Static(server)), grpcx.WithAddr("127.0.0.1:0"), new(logBuffer).option(),
		grpcx.WithDrain(grpcx.Drain{Delay: -1}), withService(&service{
			unary: func(ctx context.Context) error { caller.Store(name(ctx)); return nil },
		}))
	assert.NoError(t, err)
	served := background(func() { assert.NoError(t, srv.Serve(context.Background())) })
	<-srv.Ready()

	material := func(dns string) tlsx.Material {
		leaf := ca.Issue(t, certtest.Template{DNSNames: []string{dns}, Usages: certtest.Client.Usages})
		return tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{ca.Cert}, Usage: tlsx.ForClient}
	}
	source := new(memorySource)
	source.set(t, material("a.test"))
	var dials atomic.Int32
	conn, err := grpc.NewClient("passthrough:///"+srv.Addrs()[0].String(),
		grpc.WithTransportCredentials(grpcx.ClientCredentials(source, tlsx.ServerName("localhost"))),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}))
	assert.NoError(t, err)
	api := testgrpc.NewTestServiceClient(conn)

	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := api.UnaryCall(context.Background(), &testgrpc.SimpleRequest{}); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
			}
		})
	}
	stream, err := api.FullDuplexCall(t.Context())
	assert.NoError(t, err)
	pingPong := func() {
		assert.NoError(t, stream.Send(&testgrpc.StreamingOutputCallRequest{}))
		_, err := stream.Recv()
		assert.NoError(t, err)
	}
	pingPong()
	for i, dns := range []string{"a.test", "b.test", "c.test", "d.test"} {
		if i > 0 {
			source.set(t, material(dns))
		}
		waitFor(t, "a call as "+dns, func() bool { return caller.Load() == dns })
		pingPong() // on the first connection still
		assert.Equal(t, int(dials.Load()), i+1)
	}
	assert.NoError(t, stream.CloseSend())
	close(stop)
	load.Wait()
	_ = conn.Close()
	assert.NoError(t, srv.Shutdown(t.Context()))
	<-served
}

func TestClientCredentialsRefuse(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	source := new(memorySource)
	leaf := ca.Issue(t, certtest.Client)
	source.set(t, tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{ca.Cert}, Usage: tlsx.ForClient})
	creds := grpcx.ClientCredentials(source, tlsx.ServerName("elsewhere")).Clone()
	near, far := net.Pipe()
	_ = far.Close()
	_, _, err := creds.ClientHandshake(t.Context(), "elsewhere", near)
	assert.True(t, err != nil)
}

package grpcx_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// overMemory serves mutual TLS from a snapshot over memory, for fake time, and
// returns a client with each of the certificates.
func overMemory(t *testing.T, svc *service, m tlsx.Material, ca *certtest.CA, leaves []*certtest.Leaf, opts ...grpcx.Option) (*grpcxtest.Server, []*caller) {
	t.Helper()
	snapshot, err := tlsx.NewSnapshot(m)
	assert.NoError(t, err)
	lis := bufconn.Listen(1 << 20)
	srv := grpcxtest.New(t, append([]grpcx.Option{
		withService(svc), grpcx.WithTLS(tlsx.Static(snapshot)), grpcx.WithListener(lis)}, opts...)...)
	var callers []*caller
	for _, leaf := range leaves {
		c := new(caller)
		config := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{leaf.TLS()}}
		conn, err := grpc.NewClient("passthrough:///memory", grpc.WithDisableRetry(), grpc.WithIdleTimeout(0),
			grpc.WithTransportCredentials(credentials.NewTLS(config)),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				c.dials.Add(1)
				return lis.DialContext(ctx)
			}))
		assert.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		c.conn, c.TestServiceClient = conn, testgrpc.NewTestServiceClient(conn)
		callers = append(callers, c)
	}
	return srv, callers
}

// A client's certificate expires on an open connection: it is drained then, and
// closed when the grace is over. Another client's lives on.
func TestExpiryDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ca := certtest.NewCA(t, "all")
		short := certtest.Client
		short.NotAfter = begin.Add(time.Hour)
		var toldAt time.Time
		svc := &service{duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
			assert.NoError(t, s.Send(&testgrpc.StreamingOutputCallResponse{}))
			<-grpcx.Draining(s.Context())
			toldAt = time.Now()
			<-s.Context().Done()
			return s.Context().Err()
		}}
		srv, callers := overMemory(t, svc,
			tlsx.Material{Certificate: ca.Issue(t, certtest.Template{}).TLS(), ClientCAs: certs(ca)},
			ca, []*certtest.Leaf{ca.Issue(t, short), ca.Issue(t, certtest.Client)},
			grpcx.WithDistrust(grpcx.Distrust{Grace: time.Minute}),
			grpcx.WithKeepalive(grpcx.Keepalive{MaxConnectionAge: -1}))
		expiring, lasting := callers[0], callers[1]
		assert.NoError(t, lasting.call(t))
		s, err := expiring.FullDuplexCall(t.Context())
		assert.NoError(t, err)
		_, err = s.Recv()
		assert.NoError(t, err)

		wantCode(t, stream{s}.ended(), codes.Unavailable)
		ended := time.Since(begin)
		if d := toldAt.Sub(begin) - time.Hour; d < 0 || d > time.Second {
			t.Errorf("the connection was drained %v after the certificate expired", d)
		}
		if d := ended - toldAt.Sub(begin); d != time.Minute {
			t.Errorf("the stream was ended %v after the drain, want a minute", d)
		}
		status, _ := srv.TLSStatus()
		assert.Equal(t, status.Connections, map[uint64]int{1: 1})
		assert.NoError(t, lasting.call(t))
		assert.Equal(t, lasting.dials.Load(), 1)
	})
}

// The CRL goes stale while a client is connected: nothing says any more that it
// is not revoked.
func TestStaleCRLDrains(t *testing.T) {
	for _, test := range []struct {
		policy tlsx.Revocation
		drains bool
	}{{tlsx.RevocationHard, true}, {tlsx.RevocationSoft, false}} {
		t.Run(test.policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := certtest.NewCA(t, "all", lasting)
				long := certtest.Client
				long.NotAfter = time.Now().Add(100 * time.Hour)
				server := certtest.Template{NotAfter: long.NotAfter}
				srv, callers := overMemory(t, &service{},
					tlsx.Material{Certificate: ca.Issue(t, server).TLS(), ClientCAs: certs(ca), CRLs: [][]byte{crlOf(t, ca, 1)}, Revocation: test.policy},
					ca, []*certtest.Leaf{ca.Issue(t, long)},
					grpcx.WithDistrust(grpcx.Distrust{Grace: time.Minute}),
					grpcx.WithKeepalive(grpcx.Keepalive{MaxConnectionAge: -1}))
				c := callers[0]
				open := c.open(t)
				time.Sleep(23 * time.Hour) // fake; the CRL is for 24
				assert.NoError(t, open.echo())
				time.Sleep(2 * time.Hour)
				if test.drains {
					wantCode(t, open.ended(), codes.Unavailable)
					wantCode(t, c.call(t), codes.Unavailable)
				} else {
					assert.NoError(t, open.echo())
					assert.NoError(t, open.finish())
					assert.Equal(t, c.dials.Load(), 1)
				}
				status, _ := srv.TLSStatus()
				assert.Equal(t, status.Connections[1] == 0, test.drains)
			})
		})
	}
}

// Readiness ends with the served certificate.
func TestExpiredServerCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := certtest.NewCA(t, "all")
		srv, _ := overMemory(t, &service{},
			tlsx.Material{Certificate: ca.Issue(t, certtest.Template{NotAfter: time.Now().Add(time.Hour)}).TLS(), ClientCAs: certs(ca)}, ca, nil)
		time.Sleep(time.Hour - time.Second)
		assert.True(t, ready(srv), "ready before the expiry")
		time.Sleep(2 * time.Minute)
		assert.True(t, !ready(srv), "ready after the expiry")
		for _, c := range srv.Health().Report().Checks {
			if c.Name == "tls-certificate" {
				assert.Contains(t, c.Error, "expired at 2000-01-01T01:00:00Z", "renew it")
				return
			}
		}
		t.Error("there is no check of the certificate")
	})
}

func ready(srv *grpcxtest.Server) bool {
	status, _ := srv.Health().Status(healthx.Readiness)
	return status == healthx.Serving
}

// A reload that fails changes nothing but the status.
func TestFailedReload(t *testing.T) {
	ca := certtest.NewCA(t, "clients")
	s := newSite(t, &service{}, []*certtest.CA{ca}, nil)
	c := s.dial(t, ca.Issue(t, certtest.Client))
	open := c.open(t)
	before := s.tls(t)
	s.put(t, map[string][]byte{"ca.crt": []byte("-----BEGIN CERTIFICATE-----\nno\n")})
	waitFor(t, "the failure", func() bool { return s.tls(t).Files.Degraded })
	now := s.tls(t)
	assert.Equal(t, now.Generation, before.Generation)
	assert.Equal(t, now.Trust, before.Trust)
	assert.Equal(t, string(now.Files.Reason), "malformed")
	assert.Contains(t, now.Files.Error, s.path("ca.crt"))
	assert.True(t, ready(s.Server), "ready on the last good files")
	assert.NoError(t, open.echo())
	assert.NoError(t, open.finish())
	assert.NoError(t, s.dial(t, ca.Issue(t, certtest.Client)).call(t))
	assert.Equal(t, c.dials.Load(), 1)

	s.put(t, trust(ca))
	waitFor(t, "the recovery", func() bool { return !s.tls(t).Files.Degraded })
	assert.NoError(t, os.RemoveAll(s.dir)) // and the cleanup finds nothing
	assert.NoError(t, c.call(t))
}

package grpcx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// The trust changes while a handshake is under way: the handshake, which began
// under the old one, ends in a connection that is held to the new one.
func TestHandshakeRacesTrustChange(t *testing.T) {
	for _, stays := range []bool{true, false} {
		t.Run(fmt.Sprintf("stays %v", stays), func(t *testing.T) {
			old, other := certtest.NewCA(t, "old"), certtest.NewCA(t, "other")
			s := newSite(t, &service{}, []*certtest.CA{old, other}, nil)
			leaf := old.Issue(t, certtest.Client).TLS()
			before := s.tls(t)
			midway, goOn := make(chan struct{}), make(chan struct{})
			config := &tls.Config{
				RootCAs: s.ca.Pool(), ServerName: "localhost", NextProtos: []string{"h2"},
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					close(midway) // the server waits for us with the configuration of before
					<-goOn
					return &leaf, nil
				},
			}
			raw, err := net.Dial("tcp", s.addr)
			assert.NoError(t, err)
			conn := tls.Client(raw, config)
			defer func() { _ = conn.Close() }()
			shaken := background(func() { err = conn.HandshakeContext(context.Background()) })
			within(t, childLimit, "the server's flight", midway)
			left := []*certtest.CA{other}
			if stays {
				left = append(left, old)
				left = append(left, certtest.NewCA(t, "third"))
			}
			s.put(t, trust(left...))
			after := s.adopted(t, before.Trust)
			close(goOn)
			<-shaken
			assert.NoError(t, err) // in TLS 1.3 the client is done first
			if stays {
				waitFor(t, "the connection", func() bool { return s.tls(t).Connections[after.Trust] == 1 })
				return
			}
			_ = conn.SetReadDeadline(time.Now().Add(childLimit))
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("the server serves a client that the present trust refuses")
			} else if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("the server does not close the connection")
			}
			assert.Equal(t, s.tls(t).Connections, map[uint64]int{})
		})
	}
}

// The identity that a handler sees is that of the present trust.
func TestPeerIdentityFollowsTheTrust(t *testing.T) {
	a, b := certtest.NewCA(t, "a"), certtest.NewCA(t, "b")
	var seen atomic.Uint64
	s := newSite(t, &service{unary: func(ctx context.Context) error {
		id, ok := grpcx.PeerIdentity(ctx)
		assert.True(t, ok && slices.Equal(id.DNSNames(), []string{"client.test"}))
		seen.Store(id.Generation())
		return nil
	}}, []*certtest.CA{a}, nil)
	c := s.dial(t, a.Issue(t, certtest.Client))
	assert.NoError(t, c.call(t))
	assert.Equal(t, seen.Load(), 1)
	s.put(t, trust(a, b))
	waitFor(t, "the new generation", func() bool {
		assert.NoError(t, c.call(t))
		return seen.Load() == 2
	})
	assert.Equal(t, c.dials.Load(), 1)
	assert.Equal(t, s.tls(t).Connections, map[uint64]int{2: 1})
}

// Every rotation replaces the certificate, its CA and the bundle, each adopted
// before the next, while clients connect without pause and streams are open: no
// handshake fails, no call fails, and no connection sees the certificate of one
// generation with the bundle of another. There are as many as fit five seconds,
// up to 200; with GRPCX_SOAK=1 there are 1,000.
func TestRotationsUnderLoad(t *testing.T) {
	const clients, streams = 8, 4
	rotations, enough := 200, 5*time.Second
	if os.Getenv("GRPCX_SOAK") != "" {
		rotations, enough = 1000, time.Hour
	}
	clientCA := certtest.NewCA(t, "clients")
	s := &site{volume: newVolume(t), log: new(logBuffer)}
	var mu sync.Mutex
	roots := map[string]*x509.Certificate{} // by the name of the generation
	rotate := func(n int) {
		name := fmt.Sprintf("gen-%d", n)
		ca := certtest.NewCA(t, name)
		mu.Lock()
		roots[name] = ca.Cert
		mu.Unlock()
		files := identity(t, ca.Issue(t, certtest.Template{CommonName: name}))
		files["ca.crt"] = certtest.CertPEM(ca.Cert, clientCA.Cert)
		s.put(t, files)
	}
	rotate(0)
	reloader := runReloader(t, s.files(), unlogged, tlsx.WithSettle(time.Millisecond))
	s.serve(t, &service{}, grpcx.WithTLS(reloader))

	// Any CA of the server is trusted; what is checked is that it is the one of
	// the bundle, which the server tells when it asks for a certificate.
	leaf := clientCA.Issue(t, certtest.Client).TLS()
	creds := func() credentials.TransportCredentials {
		var served *x509.Certificate
		return credentials.NewTLS(&tls.Config{
			InsecureSkipVerify: true,
			VerifyConnection: func(state tls.ConnectionState) error {
				served = state.PeerCertificates[0]
				return nil
			},
			GetClientCertificate: func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
				mu.Lock()
				ca := roots[served.Subject.CommonName]
				mu.Unlock()
				if err := served.CheckSignatureFrom(ca); err != nil {
					return nil, err
				}
				if asked := info.AcceptableCAs; len(asked) != 2 || string(asked[0]) != string(ca.RawSubject) {
					return nil, fmt.Errorf("a mixed generation: %q served with the bundle %q", served.Subject, asked)
				}
				return &leaf, nil
			},
		})
	}
	connect := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(creds()), grpc.WithDisableRetry(),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: childLimit}))
		assert.NoError(t, err)
		return conn
	}
	var connections, messages, failed atomic.Int64
	fail := func(what string, err error) {
		if failed.Add(1) <= 5 {
			t.Errorf("%s: %v", what, err)
		}
	}
	var busy sync.WaitGroup
	ended := make(chan struct{})
	for range clients {
		busy.Go(func() {
			for !closed(ended) {
				connections.Add(1)
				conn := connect()
				ctx, cancel := context.WithTimeout(context.Background(), childLimit)
				if _, err := testgrpc.NewTestServiceClient(conn).EmptyCall(ctx, &testgrpc.Empty{}); err != nil {
					fail("a new connection", err)
				}
				cancel()
				_ = conn.Close()
			}
		})
	}
	for range streams {
		busy.Go(func() {
			conn := connect()
			defer func() { _ = conn.Close() }()
			open, err := testgrpc.NewTestServiceClient(conn).FullDuplexCall(context.Background())
			if err != nil {
				fail("a stream", err)
				return
			}
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for !closed(ended) {
				messages.Add(1)
				if err := (stream{open}).echo(); err != nil {
					fail("a message", err)
					return
				}
				<-tick.C
			}
			if err := (stream{open}).finish(); err != nil {
				fail("the end of a stream", err)
			}
		})
	}
	stop := sync.OnceFunc(func() { close(ended); busy.Wait() })
	defer stop()
	waitFor(t, "load", func() bool { return connections.Load() > int64(clients) && messages.Load() > int64(streams) })
	began := time.Now()
	done := 0
	for done < rotations && time.Since(began) < enough {
		done++
		rotate(done)
		waitFor(t, fmt.Sprintf("rotation %d", done), func() bool { return s.tls(t).Trust == uint64(done+1) })
	}
	took := time.Since(began)
	stop()
	t.Logf("%d rotations in %v under %d new connections and %d messages on %d streams: %d failed",
		done, took.Round(time.Millisecond), connections.Load(), messages.Load(), streams, failed.Load())
	assert.Equal(t, failed.Load(), 0)
	assert.True(t, done >= 5, "there were rotations")
	assert.Equal(t, s.tls(t).Generation, uint64(done+1))
	assert.Equal(t, len(s.log.lines("no longer accepted")), 0)
	assert.Equal(t, len(s.log.lines("handshake failed")), 0)
}

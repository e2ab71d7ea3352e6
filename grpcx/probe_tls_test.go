package grpcx_test

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
)

// newProbedSite requires certificates of clients on the serving port and has a
// probe port over TLS.
func newProbedSite(t *testing.T, clients *certtest.CA) *site {
	t.Helper()
	return newSite(t, &service{}, []*certtest.CA{clients}, nil, grpcx.WithProbeAddr("127.0.0.1:0"), grpcx.WithProbeTLS())
}

// anonymous is the TLS of a client that verifies the server and has no
// certificate.
func (s *site) anonymous() *tls.Config {
	return &tls.Config{RootCAs: s.ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
}

func tlsDial(t *testing.T, addr net.Addr, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The probe port over TLS asks for no certificate, and serves health alone.
func TestProbeTLS(t *testing.T) {
	clients := certtest.NewCA(t, "clients")
	s := newProbedSite(t, clients)
	assert.True(t, s.Settings().ProbeTLS)
	conn := tlsDial(t, s.ProbeAddr(), s.anonymous())
	for _, name := range []string{"", "readiness", "liveness", "startup", "grpc.testing.TestService"} {
		assert.Equal(t, probe(t.Context(), conn, name), "SERVING", name)
	}
	_, err := testgrpc.NewTestServiceClient(conn).EmptyCall(t.Context(), &testgrpc.Empty{})
	wantCode(t, err, codes.Unimplemented)

	// Mode TLS of KEP-4939: encrypt, verify nothing.
	assert.Equal(t, probe(t.Context(), tlsDial(t, s.ProbeAddr(), &tls.Config{InsecureSkipVerify: true}), ""), "SERVING")

	// One that has a certificate, of whatever CA, is not asked for it.
	asked := s.anonymous()
	var questions atomic.Int64
	stranger := certtest.NewCA(t, "strangers").Issue(t, certtest.Client).TLS()
	asked.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		questions.Add(1)
		return &stranger, nil
	}
	assert.Equal(t, probe(t.Context(), tlsDial(t, s.ProbeAddr(), asked), ""), "SERVING")
	assert.Equal(t, questions.Load(), 0)

	assert.Equal(t, probe(t.Context(), plainDial(t, s.ProbeAddr()), ""), "Unavailable", "plaintext")
	assert.Equal(t, probe(t.Context(), tlsDial(t, s.Addrs()[0], s.anonymous()), ""), "Unavailable", "the serving port, without a certificate")
	assert.NoError(t, s.dial(t, clients.Issue(t, certtest.Client)).call(t))
}

// The probe port serves the certificate of the moment, and streams live on.
func TestProbeTLSRotates(t *testing.T) {
	s := newProbedSite(t, certtest.NewCA(t, "clients"))
	conn := tlsDial(t, s.ProbeAddr(), s.anonymous())
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	assert.NoError(t, err)
	_, err = watch.Recv()
	assert.NoError(t, err)

	served := func() string {
		c, err := tls.Dial("tcp", s.ProbeAddr().String(), s.anonymous())
		assert.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	assert.Equal(t, served(), "server")
	before := s.tls(t).Generation
	s.put(t, identity(t, s.ca.Issue(t, certtest.Template{CommonName: "renewed"})))
	waitFor(t, "the new certificate", func() bool { return s.tls(t).Generation != before })
	assert.Equal(t, served(), "renewed")

	assert.NoError(t, s.Health().SetServing("", false))
	told, err := watch.Recv()
	assert.NoError(t, err)
	assert.Equal(t, told.GetStatus(), healthpb.HealthCheckResponse_NOT_SERVING)
}

// countingCache counts the session tickets that a client was given.
type countingCache struct {
	tls.ClientSessionCache
	tickets atomic.Int64
}

func (c *countingCache) Put(key string, state *tls.ClientSessionState) {
	if state != nil {
		c.tickets.Add(1)
	}
	c.ClientSessionCache.Put(key, state)
}

// meet connects and waits for the first byte of HTTP/2, by which time the
// server has judged the client and sent what tickets it sends.
func meet(addr net.Addr, config *tls.Config) (tls.ConnectionState, error) {
	c, err := tls.Dial("tcp", addr.String(), config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	return c.ConnectionState(), err
}

// No session is carried from the probe port to the serving port, or back.
func TestProbeTLSTickets(t *testing.T) {
	clients := certtest.NewCA(t, "clients")
	s := newProbedSite(t, clients)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			cache := &countingCache{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
			anonymous := s.anonymous()
			anonymous.MaxVersion, anonymous.ClientSessionCache = version, cache
			known := anonymous.Clone()
			known.Certificates = []tls.Certificate{clients.Issue(t, certtest.Client).TLS()}

			_, err := meet(s.ProbeAddr(), anonymous)
			assert.NoError(t, err)
			assert.Equal(t, cache.tickets.Load(), 0, "tickets of the probe port")
			_, err = meet(s.Addrs()[0], anonymous)
			assert.True(t, err != nil, "an anonymous client is refused by the serving port, whatever it did before")

			_, err = meet(s.Addrs()[0], known)
			assert.NoError(t, err)
			assert.True(t, cache.tickets.Load() > 0, "the serving port gives tickets")
			state, err := meet(s.ProbeAddr(), known)
			assert.NoError(t, err)
			assert.True(t, !state.DidResume, "resumed on the probe port")
			// The client drops a ticket that was not taken; get another.
			_, err = meet(s.Addrs()[0], known)
			assert.NoError(t, err)
			state, err = meet(s.Addrs()[0], known)
			assert.NoError(t, err)
			assert.True(t, state.DidResume, "resumed on the serving port")
		})
	}
}

package tlsx_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/internal/leak"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestMain(m *testing.M) { leak.Main(m) }

// serverSnapshot serves leaf and trusts the clients of cas.
func serverSnapshot(t testing.TB, leaf *certtest.Leaf, auth tlsx.ClientAuth, cas ...*certtest.CA) *tlsx.Snapshot {
	t.Helper()
	m := tlsx.Material{Certificate: leaf.TLS(), ClientAuth: auth}
	for _, ca := range cas {
		m.ClientCAs = append(m.ClientCAs, ca.Cert)
	}
	s, err := tlsx.NewSnapshot(m)
	assert.NoError(t, err)
	return s
}

// clientSnapshot connects with leaf and trusts the servers of ca.
func clientSnapshot(t testing.TB, leaf *certtest.Leaf, ca *certtest.CA) *tlsx.Snapshot {
	t.Helper()
	m := tlsx.Material{Certificate: leaf.TLS(), Usage: tlsx.ForClient}
	m.ClientCAs = append(m.ClientCAs, ca.Cert)
	s, err := tlsx.NewSnapshot(m)
	assert.NoError(t, err)
	return s
}

// plainClient is a client without tlsx, so that it may present anything.
func plainClient(ca *certtest.CA, certs ...tls.Certificate) *tls.Config {
	cfg := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", NextProtos: []string{"h2"}}
	if len(certs) > 0 {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
	}
	return cfg
}

// handshake runs one handshake and one byte each way over loopback, so that
// TLS 1.3 clients see the server's verdict and receive their tickets.
func handshake(t testing.TB, server, client *tls.Config) (ss, cs tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer func() { _ = lis.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := lis.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer func() { _ = raw.Close() }()
		_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
		conn := tls.Server(raw, server)
		if serverErr = conn.Handshake(); serverErr != nil {
			return
		}
		ss = conn.ConnectionState()
		buf := make([]byte, 1)
		if _, serverErr = conn.Read(buf); serverErr == nil {
			_, serverErr = conn.Write(buf)
		}
	}()
	raw, err := net.Dial("tcp", lis.Addr().String())
	assert.NoError(t, err)
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	conn := tls.Client(raw, client)
	buf := []byte{'x'}
	if clientErr = conn.Handshake(); clientErr == nil {
		if _, clientErr = conn.Write(buf); clientErr == nil {
			_, clientErr = conn.Read(buf)
		}
		cs = conn.ConnectionState()
	}
	_ = raw.Close()
	<-done
	return ss, cs, serverErr, clientErr
}

func withVersion(cfg *tls.Config, version uint16) *tls.Config {
	cfg = cfg.Clone()
	cfg.MinVersion, cfg.MaxVersion = version, version
	return cfg
}

var versions = map[string]uint16{"TLS1.2": tls.VersionTLS12, "TLS1.3": tls.VersionTLS13}

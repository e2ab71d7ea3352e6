package tlsx_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestServerConfigPeers(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	mid := ca.Intermediate(t, "mid")
	leaf := ca.Issue(t, certtest.Server)
	good := ca.Issue(t, certtest.Client).TLS()
	expired := certtest.Client
	expired.Edit = past
	serverOnly := certtest.Template{DNSNames: []string{"client.test"}, Usages: certtest.Server.Usages}

	cases := []struct {
		name  string
		auth  tlsx.ClientAuth
		certs []tls.Certificate
		ok    bool
		ident string // of the verified peer, empty for none
	}{
		{"require, good", tlsx.RequireClientCert, []tls.Certificate{good}, true, "client.test"},
		{"require, through an intermediate", tlsx.RequireClientCert, []tls.Certificate{mid.Issue(t, certtest.Client).TLS()}, true, "client.test"},
		{"require, none", tlsx.RequireClientCert, nil, false, ""},
		{"require, wrong CA", tlsx.RequireClientCert, []tls.Certificate{other.Issue(t, certtest.Client).TLS()}, false, ""},
		{"require, expired", tlsx.RequireClientCert, []tls.Certificate{ca.Issue(t, expired).TLS()}, false, ""},
		{"require, serverAuth only", tlsx.RequireClientCert, []tls.Certificate{ca.Issue(t, serverOnly).TLS()}, false, ""},
		{"if given, none", tlsx.VerifyClientCertIfGiven, nil, true, ""},
		{"if given, good", tlsx.VerifyClientCertIfGiven, []tls.Certificate{good}, true, "client.test"},
		{"if given, wrong CA", tlsx.VerifyClientCertIfGiven, []tls.Certificate{other.Issue(t, certtest.Client).TLS()}, false, ""},
		{"none", tlsx.NoClientCert, []tls.Certificate{good}, true, ""},
	}
	for _, tc := range cases {
		cas := []*certtest.CA{ca}
		if tc.auth == tlsx.NoClientCert {
			cas = nil
		}
		snapshot := serverSnapshot(t, leaf, tc.auth, cas...)
		for version, v := range versions {
			t.Run(tc.name+"/"+version, func(t *testing.T) {
				for kind, cfg := range map[string]*tls.Config{
					"snapshot": snapshot.ServerConfig(),
					"source":   tlsx.ServerConfig(tlsx.Static(snapshot)),
				} {
					ss, _, serverErr, clientErr := handshake(t, cfg, withVersion(plainClient(ca, tc.certs...), v))
					if !tc.ok {
						assert.True(t, serverErr != nil && clientErr != nil, kind, "both sides must fail")
						continue
					}
					assert.NoError(t, serverErr, kind)
					assert.NoError(t, clientErr, kind)
					assert.Equal(t, ss.NegotiatedProtocol, "h2")
					id, ok := snapshot.PeerIdentity(ss)
					assert.Equal(t, ok, tc.ident != "")
					if ok {
						assert.Equal(t, id.String(), tc.ident)
						assert.Equal(t, id.Generation(), uint64(1))
					}
				}
			})
		}
	}
}

// bareSigner hides every method of a key but those of crypto.Signer.
type bareSigner struct{ key crypto.Signer }

func (s bareSigner) Public() crypto.PublicKey { return s.key.Public() }
func (s bareSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(rand, digest, opts)
}

func TestServerConfigKeys(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client := ca.Issue(t, certtest.Client).TLS()
	for _, kt := range []certtest.KeyType{certtest.ECDSA, certtest.RSA, certtest.Ed25519} {
		leaf := ca.Issue(t, certtest.Template{KeyType: kt})
		leaf.Key = bareSigner{leaf.Key}
		cfg := serverSnapshot(t, leaf, tlsx.RequireClientCert, ca).ServerConfig()
		for _, v := range versions {
			_, _, serverErr, clientErr := handshake(t, cfg, withVersion(plainClient(ca, client), v))
			assert.NoError(t, serverErr)
			assert.NoError(t, clientErr)
		}
	}
}

func TestServerConfigDefaults(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	cfg := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.NoClientCert).ServerConfig()
	for _, c := range []*tls.Config{cfg, tlsx.ServerConfig(tlsx.Static(nil))} {
		assert.Equal(t, c.MinVersion, uint16(tls.VersionTLS12))
		assert.True(t, c.CurvePreferences == nil, "the curve list is Go's")
		assert.True(t, c.VerifyPeerCertificate == nil)
		for _, id := range c.CipherSuites {
			name := tls.CipherSuiteName(id)
			if name[:9] != "TLS_ECDHE" && name[:7] != "TLS_AES" && name[:10] != "TLS_CHACHA" {
				t.Errorf("suite %s has no ephemeral key exchange", name)
			}
		}
	}
	_, cs, serverErr, clientErr := handshake(t, cfg, plainClient(ca))
	assert.NoError(t, serverErr)
	assert.NoError(t, clientErr)
	assert.Equal(t, cs.CurveID, tls.X25519MLKEM768)

	// A TLS 1.2 client with CBC suites only, and one of TLS 1.1, are refused.
	cbc := withVersion(plainClient(ca), tls.VersionTLS12)
	cbc.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	_, _, serverErr, _ = handshake(t, cfg, cbc)
	assert.ErrorContains(t, serverErr, "no cipher suite supported")
	_, _, serverErr, clientErr = handshake(t, cfg, withVersion(plainClient(ca), tls.VersionTLS11))
	assert.True(t, serverErr != nil && clientErr != nil, "TLS 1.1 is refused")
}

func TestServerConfigRefuses(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client := clientSnapshot(t, ca.Issue(t, certtest.Client), ca)
	for name, tc := range map[string]struct {
		cfg  *tls.Config
		want string
	}{
		"nil snapshot":           {tlsx.ServerConfig(tlsx.Static(nil)), "holds no identity"},
		"nil source":             {tlsx.ServerConfig(nil), "holds no identity"},
		"zero snapshot":          {new(tlsx.Snapshot).ServerConfig(), "holds no identity"},
		"client's snapshot":      {client.ServerConfig(), "is a client's"},
		"source of the client's": {tlsx.ServerConfig(tlsx.Static(client)), "is a client's"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, serverErr, clientErr := handshake(t, tc.cfg, plainClient(ca))
			assert.ErrorContains(t, serverErr, tc.want)
			assert.True(t, clientErr != nil)
		})
	}
}

// swap is a source whose snapshot a test replaces between handshakes.
type swap struct{ snapshot *tlsx.Snapshot }

func (s *swap) Current() *tlsx.Snapshot  { return s.snapshot }
func (s *swap) Changed() <-chan struct{} { return nil }

func TestServerResumption(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	leaf := ca.Issue(t, certtest.Server)
	client := ca.Issue(t, certtest.Client).TLS()
	for version, v := range versions {
		t.Run(version, func(t *testing.T) {
			source := &swap{serverSnapshot(t, leaf, tlsx.RequireClientCert, ca)}
			cfg := withVersion(plainClient(ca, client), v)
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
			server := tlsx.ServerConfig(source)
			dial := func() (tls.ConnectionState, error) {
				ss, _, serverErr, _ := handshake(t, server, cfg)
				return ss, serverErr
			}

			first, err := dial()
			assert.NoError(t, err)
			assert.True(t, !first.DidResume)
			second, err := dial()
			assert.NoError(t, err)
			assert.True(t, second.DidResume, "resumes within a snapshot")
			id, ok := tlsx.PeerIdentity(second)
			assert.True(t, ok && id.Resumed())

			// The same material again is another snapshot: other ticket keys.
			source.snapshot = serverSnapshot(t, leaf, tlsx.RequireClientCert, ca)
			third, err := dial()
			assert.NoError(t, err)
			assert.True(t, !third.DidResume, "must not resume across snapshots")

			// Wider trust: a full handshake, which succeeds.
			source.snapshot = serverSnapshot(t, leaf, tlsx.RequireClientCert, ca, other)
			fourth, err := dial()
			assert.NoError(t, err)
			assert.True(t, !fourth.DidResume)

			// The client's CA is gone: refused at once.
			source.snapshot = serverSnapshot(t, leaf, tlsx.RequireClientCert, other)
			_, err = dial()
			assert.ErrorContains(t, err, "unknown authority")
		})
	}
}

// A clone, as credentials.NewTLS makes for every handshake, keeps the keys.
func TestServerResumptionThroughClones(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	snapshot := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
	cfg := plainClient(ca, ca.Issue(t, certtest.Client).TLS())
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for i := range 3 {
		ss, _, serverErr, clientErr := handshake(t, snapshot.ServerConfig().Clone(), cfg)
		assert.NoError(t, serverErr)
		assert.NoError(t, clientErr)
		assert.Equal(t, ss.DidResume, i > 0)
	}
}

// The chain is verified again on resumption: a ticket is only as good as the
// chain it carries.
func TestResumptionRechecks(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	snapshot := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
	other := certtest.NewCA(t, "other").Issue(t, certtest.Client)
	verify := snapshot.ServerConfig().VerifyConnection
	state := tls.ConnectionState{DidResume: true, PeerCertificates: other.Chain, VerifiedChains: [][]*x509.Certificate{other.Chain}}
	assert.ErrorContains(t, verify(state), "unknown authority")
	assert.ErrorContains(t, verify(tls.ConnectionState{DidResume: true}), "no verified certificate")
	assert.ErrorContains(t, verify(tls.ConnectionState{}), "no verified certificate")
}

func TestHandshakeAllocations(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	leaf := ca.Issue(t, certtest.Server)
	client := plainClient(ca, ca.Issue(t, certtest.Client).TLS())
	static := &tls.Config{
		Certificates: []tls.Certificate{leaf.TLS()},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2"},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.Pool(),
	}
	snapshot := serverSnapshot(t, leaf, tlsx.RequireClientCert, ca)
	measure := func(server *tls.Config) float64 {
		return testing.AllocsPerRun(20, func() {
			a, b := net.Pipe()
			done := make(chan error, 1)
			go func() {
				conn := tls.Server(a, server)
				done <- conn.Handshake()
			}()
			conn := tls.Client(b, client)
			err := conn.Handshake()
			go func() { _, _ = io.Copy(io.Discard, b) }() // the tickets
			if serverErr := <-done; err != nil || serverErr != nil {
				t.Errorf("handshake: client %v, server %v", err, serverErr)
			}
			_ = a.Close()
			_ = b.Close()
		})
	}
	want := measure(static)
	for name, cfg := range map[string]*tls.Config{
		"snapshot": snapshot.ServerConfig(),
		"source":   tlsx.ServerConfig(tlsx.Static(snapshot)),
	} {
		got := measure(cfg)
		t.Logf("%s: %.0f allocations, a static configuration %.0f", name, got, want)
		if got > want+20 {
			t.Errorf("%s: %.0f allocations, a static configuration makes %.0f", name, got, want)
		}
	}
}

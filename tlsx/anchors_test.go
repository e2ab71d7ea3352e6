package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// connected is the state of a server's connection with a client of the CA.
func connected(t *testing.T, server *tls.Config, ca *certtest.CA, client *certtest.Leaf) tls.ConnectionState {
	t.Helper()
	state, _, serverErr, clientErr := handshake(t, server, plainClient(ca, client.TLS()))
	assert.NoError(t, serverErr)
	assert.NoError(t, clientErr)
	return state
}

// What a handshake has verified is not computed again, and everything else is
// checked all the same.
func TestRecheckOfKnownChain(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client := ca.Intermediate(t, "intermediate").Issue(t, certtest.Client)
	snapshot := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
	state := connected(t, snapshot.ServerConfig(), ca, client)
	stranger := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)

	recheck := func(s *tlsx.Snapshot) float64 {
		return testing.AllocsPerRun(50, func() {
			id, err := s.Recheck(state, time.Now())
			assert.NoError(t, err)
			assert.Equal(t, len(id.Chain()), 3)
		})
	}
	known, unknown := recheck(snapshot), recheck(stranger)
	t.Logf("%.0f allocations for a chain that is known, %.0f for one that is not", known, unknown)
	assert.True(t, known < unknown/3, "the chain was verified anew")

	_, err := snapshot.Recheck(state, client.Cert.NotAfter.Add(time.Second))
	assert.ErrorContains(t, err, "expired")
	_, err = snapshot.Recheck(state, client.Cert.NotBefore.Add(-time.Second))
	assert.ErrorContains(t, err, "not yet valid")

	// A chain that is known says nothing of another certificate.
	mixed := state
	mixed.PeerCertificates = certtest.NewCA(t, "other").Issue(t, certtest.Client).Chain
	_, err = snapshot.Recheck(mixed, time.Now())
	assert.ErrorContains(t, err, "unknown authority")
}

// A program that changes a copy of the configuration decides for that copy only.
func TestChangedCopyProvesNothing(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	snapshot := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
	lax := snapshot.ServerConfig().Clone()
	lax.ClientCAs = other.Pool()
	state := connected(t, lax, ca, other.Issue(t, certtest.Client))
	_, err := snapshot.Recheck(state, time.Now())
	assert.ErrorContains(t, err, "unknown authority")
}

// Clients whose certificates live for minutes must not fill the memory.
func TestKnownChainsAreBounded(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	snapshot := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
	_, most := snapshot.Proven()
	state := connected(t, snapshot.ServerConfig(), ca, ca.Issue(t, certtest.Client))
	for i := range 2 * most {
		raw := binary.BigEndian.AppendUint64(nil, uint64(i))
		snapshot.Prove(&x509.Certificate{Raw: raw}, ca.Cert)
		if i%1000 == 0 { // a client that stays is not forgotten
			_, err := snapshot.Recheck(state, time.Now())
			assert.NoError(t, err)
		}
	}
	n, _ := snapshot.Proven()
	if n > most || n < most/4 {
		t.Errorf("kept %d chains, want at most %d", n, most)
	}
	assert.True(t, testing.AllocsPerRun(10, func() { _, _ = snapshot.Recheck(state, time.Now()) }) < 15, "a client that stayed was forgotten")
}

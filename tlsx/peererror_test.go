package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestPeerError(t *testing.T) {
	cause := x509.UnknownAuthorityError{}
	err := fmt.Errorf("handshake: %w", &tlsx.PeerError{Reason: tlsx.PeerUntrusted, Err: cause})
	assert.ErrorIs(t, err, cause)
	assert.ErrorIs(t, err, &tlsx.PeerError{Reason: tlsx.PeerUntrusted})
	assert.True(t, !errors.Is(err, &tlsx.PeerError{Reason: tlsx.PeerRevoked}))
	assert.True(t, !errors.Is(err, &tlsx.PeerError{Reason: tlsx.PeerUntrusted, Err: io.EOF}))
	if pe, ok := errors.AsType[*tlsx.PeerError](err); !ok || pe.Reason != tlsx.PeerUntrusted {
		t.Errorf("%v holds no PeerError", err)
	}
	assert.ErrorContains(t, err, "tlsx: peer refused (untrusted): x509")
	long := &tlsx.PeerError{Reason: tlsx.PeerRevoked, Err: errors.New("one\nlevel=ERROR" + strings.Repeat("x", 10000))}
	assert.NotContains(t, long.Error(), "\n")
	assert.True(t, len(long.Error()) < 3000, "bounded")
	assert.Equal(t, (&tlsx.PeerError{Reason: tlsx.PeerRevoked}).Error(), "tlsx: peer refused (revoked)")
	assert.Equal(t, tlsx.RefusalReason(nil), tlsx.PeerReason(""))
	assert.Equal(t, tlsx.RefusalReason(io.EOF), tlsx.PeerReason(""))
}

// RefusalReason knows what crypto/tls refuses by itself on a first handshake,
// as well as what this package refuses.
func TestRefusalReason(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	expired := certtest.Client
	expired.Edit = past
	s := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
	leafOf := func(l *certtest.Leaf) []tls.Certificate { return []tls.Certificate{l.TLS()} }
	for name, tc := range map[string]struct {
		certs []tls.Certificate
		want  tlsx.PeerReason
	}{
		"good":        {leafOf(ca.Issue(t, certtest.Client)), ""},
		"none":        {nil, tlsx.PeerNoCertificate},
		"untrusted":   {leafOf(other.Issue(t, certtest.Client)), tlsx.PeerUntrusted},
		"wrong usage": {leafOf(ca.Issue(t, certtest.Server)), tlsx.PeerUntrusted},
		"expired":     {leafOf(ca.Issue(t, expired)), tlsx.PeerExpired},
	} {
		for version, v := range versions {
			_, _, err, _ := handshake(t, s.ServerConfig(), withVersion(plainClient(ca, tc.certs...), v))
			assert.Equal(t, tlsx.RefusalReason(err), tc.want, name, version)
		}
		state := tls.ConnectionState{HandshakeComplete: true}
		for _, c := range tc.certs {
			state.PeerCertificates = append(state.PeerCertificates, c.Leaf)
		}
		_, err := s.Recheck(state, time.Now())
		pe, ok := errors.AsType[*tlsx.PeerError](err)
		assert.Equal(t, ok, tc.want != "", name)
		if ok {
			assert.Equal(t, pe.Reason, tc.want, name)
		}
	}

	// The client's view of servers.
	client := clientSnapshot(t, ca.Issue(t, certtest.Client), ca)
	cfg := tlsx.ClientConfig(tlsx.Static(client), tlsx.ServerName("localhost"))
	for want, leaf := range map[tlsx.PeerReason]*certtest.Leaf{
		"":                  ca.Issue(t, certtest.Server),
		tlsx.PeerUntrusted:  other.Issue(t, certtest.Server),
		tlsx.PeerNotAllowed: ca.Issue(t, certtest.Template{DNSNames: []string{"other.test"}}),
	} {
		server := serverSnapshot(t, leaf, tlsx.RequireClientCert, ca).ServerConfig()
		_, _, _, err := handshake(t, server, cfg)
		assert.Equal(t, tlsx.RefusalReason(err), want)
		if want != "" {
			_, ok := errors.AsType[*tls.CertificateVerificationError](err)
			assert.True(t, ok, "wraps the error of crypto/tls")
		}
	}
}

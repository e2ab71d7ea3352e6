package tlsx

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/grpcx-go/sdk/tlsx/internal/devmark"
)

// A Snapshot is one immutable generation of an identity and its trust, safe for
// concurrent use. Make one with [Load] or [NewSnapshot]. The zero value has
// neither: it refuses every handshake.
type Snapshot struct {
	generation uint64
	// Behind pointers, so that no print verb reaches the key.
	cert       *tls.Certificate
	server     *tls.Config
	roots      *x509.CertPool // nil when there is nothing to verify peers with
	cas        []*x509.Certificate
	notAfter   time.Time
	clientAuth ClientAuth
	usage      Usage
}

// parts is what a snapshot is made of, checked and owned.
type parts struct {
	cert       tls.Certificate
	chain, cas []*x509.Certificate
	clientAuth ClientAuth
	usage      Usage
	generation uint64
}

func newSnapshot(p parts) *Snapshot {
	s := &Snapshot{
		generation: p.generation,
		cert:       &p.cert,
		cas:        p.cas,
		notAfter:   servedNotAfter(p.chain),
		clientAuth: p.clientAuth,
		usage:      p.usage,
	}
	if len(p.cas) > 0 {
		s.roots = x509.NewCertPool()
		for _, ca := range p.cas {
			s.roots.AddCert(ca)
		}
	}
	s.server = s.newServerConfig()
	return s
}

// Generation numbers the snapshots of a source, from 1. It is zero only for the
// zero value.
func (s *Snapshot) Generation() uint64 { return s.generation }

// Leaf returns the own certificate, nil for the zero value. It must not be
// modified.
func (s *Snapshot) Leaf() *x509.Certificate {
	if s.cert == nil {
		return nil
	}
	return s.cert.Leaf
}

// NotAfter returns when the served chain ends: the earliest NotAfter of the
// leaf and the intermediates that it depends on.
func (s *Snapshot) NotAfter() time.Time { return s.notAfter }

// ClientCAs returns the certificates that verify peers. The slice is the
// caller's, the certificates must not be modified.
func (s *Snapshot) ClientCAs() []*x509.Certificate { return slices.Clone(s.cas) }

// ClientAuth returns what a server asks of its clients.
func (s *Snapshot) ClientAuth() ClientAuth { return s.clientAuth }

// Usage returns the side the certificate is for.
func (s *Snapshot) Usage() Usage { return s.usage }

// Development reports whether the own certificate is a development one, made by
// package devcert. Such a server must not be taken for a production one.
func (s *Snapshot) Development() bool { return devmark.Issued(s.Leaf()) }

// String describes the snapshot on one line, without any secret.
func (s *Snapshot) String() string {
	if s.cert == nil {
		return "tlsx.Snapshot(empty)"
	}
	return fmt.Sprintf("tlsx.Snapshot(generation=%d subject=%q sans=%q not_after=%s sha256=%s client_cas=%d client_auth=%v usage=%v)",
		s.generation, subjectOf(s.Leaf()), sans(s.Leaf()), stamp(s.notAfter), fingerprint(s.Leaf()), len(s.cas), s.clientAuth, s.usage)
}

// GoString is String.
func (s *Snapshot) GoString() string { return s.String() }

// LogValue describes the snapshot as a group, without any secret.
func (s *Snapshot) LogValue() slog.Value {
	if s.cert == nil {
		return slog.StringValue(s.String())
	}
	return slog.GroupValue(
		slog.Uint64("generation", s.generation),
		slog.String("subject", subjectOf(s.Leaf())),
		slog.Any("sans", sans(s.Leaf())),
		slog.Time("not_after", s.notAfter),
		slog.String("sha256", fingerprint(s.Leaf())),
		slog.Int("client_cas", len(s.cas)),
		slog.String("client_auth", s.clientAuth.String()),
		slog.String("usage", s.usage.String()),
		slog.Bool("development", s.Development()),
	)
}

// fingerprint is the SHA-256 of the certificate, in hexadecimal.
func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

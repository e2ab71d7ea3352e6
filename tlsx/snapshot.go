package tlsx

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/grpcx-go/sdk/tlsx/internal/devmark"
)

// A Snapshot is one immutable generation of an identity and its trust, safe for
// concurrent use. Make one with [Load] or [NewSnapshot], and its successors
// with [Snapshot.Next]. The zero value has neither: it refuses every handshake.
type Snapshot struct {
	generation      uint64
	trustGeneration uint64
	// The certificate with its key is kept in a closure, here and in server, so
	// that nothing which prints or dumps values can reach it.
	cert       func() *tls.Certificate
	leaf       *x509.Certificate
	chain      []*x509.Certificate
	server     *tls.Config
	roots      *anchors // nil when there is nothing to verify peers with
	cas        []*x509.Certificate
	notAfter   time.Time
	clientAuth ClientAuth
	usage      Usage
	tickets    func() *tls.Config // see newServerConfig; a closure as cert is one
	policy     peerPolicy         // of verified peers
}

// parts is what a snapshot is made of, checked and owned.
type parts struct {
	cert       tls.Certificate
	chain, cas []*x509.Certificate
	clientAuth ClientAuth
	usage      Usage
	generation uint64
	policy     peerPolicy // part of the trust; compare with its equal
	// From the snapshot that this one replaces, when its trust is the same.
	trustGeneration uint64
	roots           *anchors
	tickets         func() *tls.Config
}

// keepTrust goes on with the trust of the snapshot before, which is the same.
func (p *parts) keepTrust(before *Snapshot) {
	p.tickets, p.trustGeneration = before.tickets, before.trustGeneration
	p.cas, p.roots = before.cas, before.roots
}

func newSnapshot(p parts) *Snapshot {
	s := &Snapshot{
		generation:      p.generation,
		trustGeneration: p.trustGeneration,
		cert:            func() *tls.Certificate { return &p.cert },
		leaf:            p.chain[0],
		chain:           p.chain,
		cas:             p.cas,
		notAfter:        servedNotAfter(p.chain),
		clientAuth:      p.clientAuth,
		usage:           p.usage,
		roots:           p.roots,
		tickets:         p.tickets,
		policy:          p.policy,
	}
	if s.tickets == nil {
		s.trustGeneration = s.generation
		keys := new(tls.Config)
		s.tickets = func() *tls.Config { return keys }
	}
	if s.roots == nil && len(p.cas) > 0 {
		s.roots = newAnchors(p.cas)
	}
	s.server = s.newServerConfig()
	return s
}

// Generation numbers the snapshots of a source, from 1. It is zero only for the
// zero value.
func (s *Snapshot) Generation() uint64 { return s.generation }

// TrustGeneration returns the generation in which the way that peers are judged
// last changed: CAs, client authentication. While it is the same, only the own
// certificate changes; sessions resume and open connections need no Recheck.
func (s *Snapshot) TrustGeneration() uint64 { return s.trustGeneration }

// Leaf returns the own certificate, nil for the zero value. It must not be
// modified.
func (s *Snapshot) Leaf() *x509.Certificate { return s.leaf }

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
func (s *Snapshot) Development() bool { return devmark.Issued(s.leaf) }

// String describes the snapshot on one line, without any secret.
func (s *Snapshot) String() string {
	if s.cert == nil {
		return "tlsx.Snapshot(empty)"
	}
	return fmt.Sprintf("tlsx.Snapshot(generation=%d subject=%q sans=%q not_after=%s sha256=%s client_cas=%d client_auth=%v usage=%v)",
		s.generation, subjectOf(s.leaf), sans(s.leaf), stamp(s.notAfter), fingerprint(s.leaf), len(s.cas), s.clientAuth, s.usage)
}

// Format prints String for every verb, of a Snapshot and of a pointer to one.
func (s Snapshot) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue describes the snapshot as a group, without any secret.
func (s *Snapshot) LogValue() slog.Value {
	if s.cert == nil {
		return slog.StringValue(s.String())
	}
	return slog.GroupValue(
		slog.Uint64("generation", s.generation),
		slog.String("subject", subjectOf(s.leaf)),
		slog.Any("sans", sans(s.leaf)),
		slog.Time("not_after", s.notAfter),
		slog.String("sha256", fingerprint(s.leaf)),
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

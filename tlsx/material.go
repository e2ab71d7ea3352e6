package tlsx

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// Material is an identity and its trust in memory: for tests, key stores and
// hardware keys.
type Material struct {
	// Certificate is the chain, leaf first, and its key: any [crypto.Signer]
	// that is safe for concurrent use. Leaf is ignored and may be nil.
	Certificate tls.Certificate
	// ClientCAs verify the peer, as Files.ClientCA does.
	ClientCAs []*x509.Certificate
	// ClientAuth is what a server asks of clients; zero requires a certificate.
	ClientAuth ClientAuth
	// Usage is the side the certificate is for; zero is a server's.
	Usage Usage
	// CRLs hold the content of CRL files, as Files.CRL names them.
	CRLs [][]byte
	// Revocation, OCSP and Allow are as in Files.
	Revocation Revocation
	OCSP       OCSP
	Allow      []Matcher
	// ObserveSign, when set, is told how long each signature with the key took
	// and how it ended: hardware keys are slow, and may hang until
	// the handshake's deadline. It is called on the handshake path, concurrently.
	ObserveSign func(took time.Duration, err error)
}

// String describes m without its key.
func (m Material) String() string {
	return fmt.Sprintf("tlsx.Material(certificates=%d client_cas=%d client_auth=%v usage=%v)",
		len(m.Certificate.Certificate), len(m.ClientCAs), m.ClientAuth, m.Usage)
}

// Format prints String for every verb.
func (m Material) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// LogValue describes m without its key.
func (m Material) LogValue() slog.Value { return slog.StringValue(m.String()) }

// NewSnapshot returns m as a snapshot of generation 1. It copies what it keeps,
// except for the key and the parsed CA certificates, which the caller must not
// modify. It checks what [Load] checks; the error joins all problems.
func NewSnapshot(m Material) (*Snapshot, error) {
	p, err := m.parts(time.Now())
	if err != nil {
		return nil, err
	}
	p.generation = 1
	return newSnapshot(p), nil
}

// Next returns m as the snapshot that follows s, for a [Source] of its own:
// the generation is one higher, and where m judges peers as s does, the trust
// generation and with it the session tickets stay. Otherwise it is like
// [NewSnapshot].
func (s *Snapshot) Next(m Material) (*Snapshot, error) {
	p, err := m.parts(time.Now())
	if err != nil {
		return nil, err
	}
	p.generation = s.generation + 1
	if s.cert != nil && s.sameTrust(p) {
		p.keepTrust(s)
	}
	return newSnapshot(p), nil
}

// parts checks m and copies what is kept of it.
func (m Material) parts(now time.Time) (parts, error) {
	problems := checkModes(m.Usage, m.ClientAuth, len(m.ClientCAs) > 0, materialNames)
	chain, err := parseDER(m.Certificate.Certificate)
	if err != nil {
		problems = append(problems, problem{roleCert, err})
	} else {
		problems = append(problems, checkChain(chain, m.Usage, now)...)
	}
	key, ok := m.Certificate.PrivateKey.(crypto.Signer)
	if !ok {
		problems = append(problems, problem{roleKey, errors.New("is missing or no crypto.Signer; set Certificate.PrivateKey")})
	} else if err == nil {
		problems = append(problems, checkKey(chain, key)...)
	}
	var cas []*x509.Certificate
	for i, ca := range m.ClientCAs {
		if err := checkCA(ca); err != nil {
			problems = append(problems, problem{roleClientCA, fmt.Errorf("certificate %d %w", i+1, err)})
		} else if !slices.ContainsFunc(cas, ca.Equal) {
			cas = append(cas, ca)
		}
	}
	if len(cas) > 0 {
		problems = append(problems, checkBundle(cas, now)...)
	}
	policy, refused := m.policy(cas, now)
	problems = append(problems, refused...)
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, p := range problems {
			errs[i] = fmt.Errorf("tlsx: %s: %w", p.role, p.err)
		}
		return parts{}, errors.Join(errs...)
	}
	cert := m.Certificate
	cert.PrivateKey = observed(key, m.ObserveSign)
	cert.Certificate = nil
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	cert.Leaf = chain[0]
	cert.OCSPStaple = bytes.Clone(cert.OCSPStaple)
	cert.SupportedSignatureAlgorithms = slices.Clone(cert.SupportedSignatureAlgorithms)
	cert.SignedCertificateTimestamps = slices.Clone(cert.SignedCertificateTimestamps)
	for i, sct := range cert.SignedCertificateTimestamps {
		cert.SignedCertificateTimestamps[i] = bytes.Clone(sct)
	}
	return parts{
		cert: cert, chain: chain, cas: cas,
		clientAuth: m.ClientAuth, usage: m.Usage, policy: policy,
	}, nil
}

// parseDER parses copies, so that the caller's slices stay its own.
func parseDER(raw [][]byte) ([]*x509.Certificate, error) {
	if len(raw) == 0 {
		return nil, errors.New("the chain is empty; set Certificate.Certificate, leaf first")
	}
	chain := make([]*x509.Certificate, len(raw))
	for i, der := range raw {
		cert, err := x509.ParseCertificate(bytes.Clone(der))
		if err != nil {
			return nil, fmt.Errorf("certificate %d is not valid (%w); replace it", i+1, err)
		}
		chain[i] = cert
	}
	return chain, nil
}

package tlsx

import (
	"crypto/tls"
	"errors"
	"time"
)

var (
	errEmpty     = errors.New("tlsx: the source holds no identity; start it, or make a snapshot with Load or NewSnapshot")
	errNotServer = errors.New("tlsx: the snapshot is a client's; load it with Usage: tlsx.ForServer or tlsx.ForBoth to serve with it")
)

// ServerConfig returns a configuration for any TLS server, such as
// credentials.NewTLS or http.Server. Each handshake reads source.Current once
// and so follows its rotation. The only ALPN protocol is h2. The configuration is
// the caller's.
func ServerConfig(source Source) *tls.Config {
	cfg := baseConfig()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return current(source).ServerConfig(), nil
	}
	// Snapshots bring their own ticket keys; without them there are no tickets.
	cfg.SessionTicketsDisabled = true
	return cfg
}

// ServerConfig returns the configuration of a server that serves this snapshot,
// the same pointer on every call. It must not be modified; a Clone may be.
// It refuses every handshake when the snapshot is a client's.
func (s *Snapshot) ServerConfig() *tls.Config {
	if s.server == nil {
		return refusal(errEmpty)
	}
	return s.server
}

func (s *Snapshot) newServerConfig() *tls.Config {
	if !s.usage.server() {
		return refusal(errNotServer)
	}
	cfg := baseConfig()
	cert := s.cert
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert(), nil }
	cfg.ClientAuth = s.clientAuth.tls()
	if s.roots != nil {
		cfg.ClientCAs = s.roots.pool
	}
	cfg.VerifyConnection = s.verifyClient

	// A configuration that GetConfigForClient returns uses the ticket keys of
	// the configuration it replaces, and a clone those it was cloned with.
	// These two functions keep the keys with the snapshots of one trust in every
	// case; the empty configuration behind them rotates its keys daily.
	keys := s.tickets()
	cfg.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		s.policy.markSession(state, session)
		return keys.EncryptTicket(state, session)
	}
	cfg.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		session, err := keys.DecryptTicket(ticket, state)
		if session != nil && lapsed(session, time.Now()) {
			return nil, nil //nolint:nilnil // a full handshake
		}
		return session, err
	}
	return cfg
}

// verifyClient runs on every handshake, resumed ones too, where crypto/tls has
// checked little: it takes the chain from the ticket for a verified one.
func (s *Snapshot) verifyClient(state tls.ConnectionState) error {
	now := time.Now()
	switch {
	case s.clientAuth == NoClientCert:
		return nil
	case state.DidResume:
		_, err := s.Recheck(state, now)
		return err
	case s.clientAuth == VerifyClientCertIfGiven && len(state.PeerCertificates) == 0:
		return nil
	case len(state.VerifiedChains) == 0:
		return noCertificate(clientPeer)
	}
	_, err := s.verifyPeer(clientPeer, state, state.VerifiedChains, now)
	if err == nil {
		s.roots.proven(state.VerifiedChains)
	}
	return err
}

func baseConfig() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2"},
		CipherSuites: http2Suites(),
	}
}

// refusal is a configuration that fails every handshake with err.
func refusal(err error) *tls.Config {
	cfg := baseConfig()
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, err }
	cfg.SessionTicketsDisabled = true
	return cfg
}

// forbidden are the suites of tls.CipherSuites that RFC 7540, appendix A, does
// not allow: those without an ephemeral key exchange or an AEAD.
var forbidden = map[uint16]bool{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: true,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: true,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:   true,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:   true,
}

// http2Suites returns Go's secure suites without those that HTTP/2 forbids.
func http2Suites() []uint16 {
	var ids []uint16
	for _, suite := range tls.CipherSuites() {
		if !forbidden[suite.ID] {
			ids = append(ids, suite.ID)
		}
	}
	return ids
}

package certscmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// A connection is what a server negotiated.
type connection struct {
	Address string `json:"address"`
	Version string `json:"tls_version,omitempty"`
	Cipher  string `json:"cipher_suite,omitempty"`
	ALPN    string `json:"alpn,omitempty"`
	// ClientCert is set when the server asked for a client's certificate.
	ClientCert bool     `json:"asks_for_client_certificate"`
	ClientCAs  []string `json:"client_cas,omitempty"`
	Stapled    bool     `json:"ocsp_stapled"`
}

// server looks at the certificate of a server. It trusts nothing and sends no
// more than the handshake.
func (c *inspect) server(ctx context.Context, address string) (*report, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("%q is not host:port; name both", clean(address))
	}
	name := host
	if c.serverName != "" {
		name = c.serverName
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, failf("connect to %s: %s; check the address and that the server runs", clean(address), dialText(err, c.timeout))
	}
	defer func() { _ = raw.Close() }()

	seen := &connection{Address: raw.RemoteAddr().String()}
	var chain []*x509.Certificate
	conn := tls.Client(raw, &tls.Config{
		ServerName: name,
		NextProtos: []string{"h2"},
		MinVersion: tls.VersionTLS10, // to be able to say that it is too old
		// Nothing is trusted and nothing sent: looking is the point.
		InsecureSkipVerify: true, //nolint:gosec // as said above
		VerifyConnection: func(state tls.ConnectionState) error {
			chain = state.PeerCertificates // also when the handshake fails later
			return nil
		},
		GetClientCertificate: func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			seen.ClientCert = true
			for _, ca := range info.AcceptableCAs {
				seen.ClientCAs = append(seen.ClientCAs, distinguishedName(ca))
			}
			return new(tls.Certificate), nil
		},
	})
	handshake := conn.HandshakeContext(ctx)
	state := conn.ConnectionState()
	if len(chain) == 0 {
		if handshake == nil {
			handshake = errors.New("it showed no certificate")
		}
		return nil, failf("handshake with %s: %s; check that the port speaks TLS", clean(address), dialText(handshake, c.timeout))
	}
	j := judge{chain: chain, now: time.Now(), warn: c.warn, cas: c.cas, host: name, usage: c.usage}
	if j.usage == "" {
		j.usage = "server"
	}
	r := newReport(address, "server", &j)
	seen.Stapled = len(state.OCSPResponse) > 0
	seen.ALPN = state.NegotiatedProtocol
	if state.Version != 0 {
		seen.Version, seen.Cipher = tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)
	}
	r.Connection = seen
	j.found = r.Findings
	if state.Version != 0 && state.Version < tls.VersionTLS12 {
		j.addf(severityError, "tls_version", "it speaks %s at most, which gRPC clients refuse; enable TLS 1.3", tls.VersionName(state.Version))
	}
	switch {
	case handshake != nil && seen.ClientCert:
		j.addf(severityInfo, "client_certificate_required", "it wants a client's certificate and ended the handshake without one")
	case handshake != nil:
		j.addf(severityError, "handshake", "the handshake failed after the certificate (%s); see the server's log", clean(handshake.Error()))
	case state.NegotiatedProtocol != "h2":
		j.addf(severityError, "alpn", "it does not negotiate HTTP/2 (ALPN h2), so that gRPC clients refuse it; add h2 to the server's protocols")
	}
	if handshake == nil && seen.ClientCert {
		j.addf(severityInfo, "client_certificate_asked", "it asks clients for a certificate")
	}
	r.Findings = j.found
	return r, nil
}

func dialText(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + timeout.String()
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Timeout() {
		return "no answer within " + timeout.String()
	}
	return clean(err.Error())
}

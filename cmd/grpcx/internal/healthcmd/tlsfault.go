package healthcmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// tlsFault explains a handshake that did not end well.
func (a *attempt) tlsFault() *fault {
	r, err := a.request, a.tlsErr
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return tlsFaultf(r, "the TLS handshake did not end within %v; the server hangs or needs a larger --timeout", r.connect)
	}
	if alert := remoteAlert(err); alert != "" {
		if aboutCertificate(alert) || a.asked && alert == handshakeFailure {
			return a.refusedFaultFor(alert)
		}
		if alert == noProtocol {
			return noHTTP2(r)
		}
		return tlsFaultf(r, "the server ends the TLS handshake with %q; compare its TLS versions, names and protocols with --server-name and this client (TLS 1.2 or 1.3, h2)", alert)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if isHTTP1(a.first) {
			return tlsFaultf(r, "the server speaks HTTP/1 without TLS, not gRPC; check the port")
		}
		return tlsFaultf(r, "the server does not speak TLS here; leave --tls and the other TLS flags out, or check the port")
	}
	if verification, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return verificationFault(r, verification)
	}
	if broken(err) && a.asked {
		return a.refusedFault()
	}
	if broken(err) {
		return tlsFaultf(r, "the server closed the connection during the TLS handshake%s; check that it speaks TLS on this port", because(err))
	}
	if strings.Contains(err.Error(), "ALPN") { // grpc-go's text, which has no type
		return noHTTP2(r)
	}
	return tlsFaultf(r, "the TLS handshake failed: %w; check the TLS settings of the server", err)
}

func noHTTP2(r *request) *fault {
	return tlsFaultf(r, "the server does not offer HTTP/2 (ALPN h2); check that it is a gRPC server")
}

// verificationFault explains a server certificate that does not verify.
func verificationFault(r *request, err *tls.CertificateVerificationError) *fault {
	leaf := err.UnverifiedCertificates[0]
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Cert != nil && !invalid.Cert.Equal(leaf) {
			return invalidCAFault(r, invalid)
		}
		return invalidFault(r, leaf, invalid)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		held := names(leaf)
		if len(held) == 0 {
			return tlsFaultf(r, "the server's certificate (%s) holds no names; have it issued anew with %q as a SAN", subject(leaf), r.tls.serverName)
		}
		return tlsFaultf(r, "the server's certificate is for %s and not for %q; use that address, or --server-name", list(held), r.tls.serverName)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if r.tls.caFile == "" {
			return tlsFaultf(r, "this machine does not trust the issuer (%.200q) of the server's certificate; name the file of its CA with --ca", leaf.Issuer)
		}
		return tlsFaultf(r, "no CA in %q has issued the server's certificate; name the file of the CA %.200q with --ca", r.tls.caFile, leaf.Issuer)
	}
	return tlsFaultf(r, "the server's certificate (%s) does not verify: %w; have it issued anew", subject(leaf), err.Err)
}

func invalidFault(r *request, leaf *x509.Certificate, invalid x509.CertificateInvalidError) *fault {
	switch {
	case invalid.Reason == x509.IncompatibleUsage:
		return tlsFaultf(r, "the server's certificate (%s) is not for servers; have it issued anew with the serverAuth usage", subject(leaf))
	case invalid.Reason != x509.Expired:
		return tlsFaultf(r, "the server's certificate (%s) does not verify: %w; have it issued anew", subject(leaf), invalid)
	case time.Now().Before(leaf.NotBefore):
		return tlsFaultf(r, "the server's certificate (%s) is not valid before %s; check the clocks of both machines", subject(leaf), moment(leaf.NotBefore))
	}
	return tlsFaultf(r, "the server's certificate (%s) expired at %s; renew it on the server, or check the clock of this machine", subject(leaf), moment(leaf.NotAfter))
}

// invalidCAFault explains a CA above the server's certificate, presented by the
// server or trusted here.
func invalidCAFault(r *request, invalid x509.CertificateInvalidError) *fault {
	ca := invalid.Cert
	switch {
	case invalid.Reason != x509.Expired:
		return tlsFaultf(r, "the CA certificate (%s) above the server's does not verify: %w; have it issued anew", subject(ca), invalid)
	case time.Now().Before(ca.NotBefore):
		return tlsFaultf(r, "the CA certificate (%s) above the server's is not valid before %s; check the clocks of both machines", subject(ca), moment(ca.NotBefore))
	}
	return tlsFaultf(r, "the CA certificate (%s) above the server's expired at %s; renew it, on the server and in --ca", subject(ca), moment(ca.NotAfter))
}

// refusedFault explains a server that did not want this client. With TLS 1.3 its
// alert comes after the handshake, and may be lost with the connection.
func (a *attempt) refusedFault() *fault {
	if alert := remoteAlert(a.ioErr); alert != "" {
		return a.refusedFaultFor(alert)
	}
	return a.refusedFaultFor("it asked for a certificate, then closed the connection")
}

func (a *attempt) refusedFaultFor(reason string) *fault {
	r := a.request
	now := time.Now()
	switch own := r.tls; {
	case own.certFile == "":
		return tlsFaultf(r, "the server wants a client certificate (%s); give one with --cert and --key", reason)
	case now.After(own.ownUntil):
		return tlsFaultf(r, "the server refuses the client certificate %q (%s), which expired at %s; renew it", own.certFile, reason, moment(own.ownUntil))
	case now.Before(own.ownFrom):
		return tlsFaultf(r, "the server refuses the client certificate %q (%s), which is not valid before %s; check the clock", own.certFile, reason, moment(own.ownFrom))
	default:
		return tlsFaultf(r, "the server refuses the client certificate %q (%s); use one of a client CA that the server trusts, and see its log", own.certFile, reason)
	}
}

func tlsFaultf(r *request, format string, args ...any) *fault {
	return newFault(r, kindTLS, exitTLS, format, args...)
}

// remoteAlert returns the text of the alert that the server sent, or "".
func remoteAlert(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}

// handshakeFailure is what servers answer with TLS 1.2 to a client without a
// certificate (RFC 5246, section 7.4.6).
const handshakeFailure = "tls: handshake failure"

// noProtocol is what they answer to a client with which they share no protocol
// above TLS (RFC 7301, section 3.2).
const noProtocol = "tls: no application protocol"

// aboutCertificate reports whether an alert is about the client's certificate
// (RFC 8446, section 6.2).
func aboutCertificate(alert string) bool {
	return strings.Contains(alert, "certificate") || strings.Contains(alert, "access denied")
}

// broken reports whether the other side went away.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

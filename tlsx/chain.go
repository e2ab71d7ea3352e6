package tlsx

import (
	"bytes"
	"crypto/x509"
	"time"
)

// servedNotAfter returns when the served chain ends: the earliest NotAfter on
// the path from the leaf upwards. Where two served certificates can issue the
// same one (cross-signing), the path through the later counts, so that an old
// cross certificate which is still sent does not end the chain.
func servedNotAfter(chain []*x509.Certificate) time.Time {
	w := pathWalk{chain: chain, ends: make([]time.Time, len(chain)), seen: make([]bool, len(chain))}
	return w.end(0)
}

type pathWalk struct {
	chain []*x509.Certificate
	ends  []time.Time // zero while on the path, so that a loop adds nothing
	seen  []bool
}

func (w *pathWalk) end(i int) time.Time {
	if w.seen[i] {
		return w.ends[i]
	}
	w.seen[i] = true
	cert := w.chain[i]
	var best time.Time
	for j, issuer := range w.chain {
		if j != i && mayIssue(issuer, cert) {
			if t := w.end(j); t.After(best) {
				best = t
			}
		}
	}
	end := cert.NotAfter
	if !best.IsZero() && best.Before(end) {
		end = best
	}
	w.ends[i] = end
	return end
}

// mayIssue compares names and key identifiers, as path building does
// (RFC 5280, section 6.1.3 and RFC 4158). Signatures are the peer's to verify.
func mayIssue(issuer, cert *x509.Certificate) bool {
	if len(cert.RawIssuer) == 0 || !bytes.Equal(issuer.RawSubject, cert.RawIssuer) || issuer.Equal(cert) {
		return false
	}
	if len(cert.AuthorityKeyId) > 0 && len(issuer.SubjectKeyId) > 0 {
		return bytes.Equal(cert.AuthorityKeyId, issuer.SubjectKeyId)
	}
	return true
}

package tlsx

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// checkRevocation returns the first chain that is not revoked. Any good chain
// will do: which cross certificates a peer sends is not its proof of anything.
// Without a good one, a revoked chain refuses the peer and an unknown one is
// left to the policy.
func (p *peerPolicy) checkRevocation(chains [][]*x509.Certificate, staple []byte, at time.Time) (verified, error) {
	if !p.checksRevocation() {
		return verified{chains[0], chainEnd(chains[0])}, nil
	}
	response := p.checkStaple(chains[0], staple, at)
	if response.revoked != nil {
		return verified{}, response.revoked
	}
	var unknown []*x509.Certificate
	var unknownErr, revokedErr error
	for _, chain := range chains {
		status := p.checkChain(chain, response, at)
		switch {
		case status.revoked != nil:
			revokedErr = status.revoked
		case status.unknown != nil:
			unknown, unknownErr = chain, status.unknown
		default:
			return verified{chain, status.until}, nil
		}
	}
	switch {
	case revokedErr != nil:
		return verified{}, revokedErr
	case p.revocation == RevocationHard:
		return verified{}, unknownErr
	}
	p.unknown.Add(1)
	return verified{unknown, chainEnd(unknown)}, nil
}

// A revocationStatus is good until a time, unless it is unknown or revoked.
type revocationStatus struct {
	unknown, revoked error
	until            time.Time
	given            bool // of a stapled response: there is one and it is good
}

// checkChain asks the CRLs about every certificate but the anchor, which a
// bundle trusts by itself; one that a CRL revokes all the same is not trusted.
func (p *peerPolicy) checkChain(chain []*x509.Certificate, response revocationStatus, at time.Time) revocationStatus {
	out := revocationStatus{until: chainEnd(chain), unknown: response.unknown}
	if p.crls == nil {
		out.until = earliest(out.until, response.until)
		return out
	}
	for i, cert := range chain[:len(chain)-1] {
		issuer := chain[i+1]
		verdict := p.crls.lookup(cert, issuer, at)
		var until time.Time
		switch verdict.state {
		case crlRevoked:
			return revocationStatus{revoked: refuse(PeerRevoked, "%s was revoked at %s (%s) by CRL %s of %s",
				nameOf(cert), stamp(time.Unix(verdict.entry.at, 0)), reasonName(int(verdict.entry.reason)), verdict.list.numberText(), subjectOf(issuer))}
		case crlGood:
			until = verdict.list.staleAfter()
		default: // missing or stale: unknown, unless a response says more
		}
		if i == 0 && response.given && response.until.After(until) {
			until = response.until // the response stands in for the CRL
		}
		out.until = earliest(out.until, until)
		if until.IsZero() && out.unknown == nil {
			out.unknown = refuse(PeerRevocationUnknown, "%w", unknownCRL(cert, issuer, verdict))
		}
	}
	if anchor := chain[len(chain)-1]; p.crls.anchorRevoked(anchor) {
		return revocationStatus{revoked: refuse(PeerRevoked, "%s is revoked by the CA above it; remove it from the CA bundle", nameOf(anchor))}
	}
	return out
}

func unknownCRL(cert, issuer *x509.Certificate, verdict crlVerdict) error {
	if verdict.state == crlStale {
		return fmt.Errorf("the CRL of %s is stale: its nextUpdate was %s; publish a new one", subjectOf(issuer), stamp(verdict.list.nextUpdate))
	}
	return fmt.Errorf("no CRL of %s covers %s; add it", subjectOf(issuer), nameOf(cert))
}

// checkStaple judges the response that the peer stapled for its leaf.
func (p *peerPolicy) checkStaple(chain []*x509.Certificate, staple []byte, at time.Time) revocationStatus {
	unknown := func(err error) revocationStatus {
		return revocationStatus{unknown: refuse(PeerRevocationUnknown, "%w", err)}
	}
	switch {
	case p.ocsp == OCSPOff, len(staple) == 0 && p.ocsp == OCSPVerifyIfGiven:
		return revocationStatus{}
	case len(staple) == 0:
		return unknown(errors.New("the peer stapled no OCSP response, which is required; let it staple one, over TLS 1.3"))
	case len(chain) < 2:
		return unknown(fmt.Errorf("%s is a trust anchor, for which no OCSP response can speak", nameOf(chain[0])))
	}
	leaf, issuer := chain[0], chain[1]
	r, err := verifyOCSP(staple, leaf, issuer, at)
	switch {
	case err != nil:
		return unknown(fmt.Errorf("the stapled OCSP response %w", err))
	case r.responder != nil && p.crls.lookup(r.responder, issuer, at).state == crlRevoked:
		return unknown(errors.New("the stapled OCSP response is signed by a responder that is itself revoked"))
	case r.status == ocspRevoked:
		return revocationStatus{revoked: refuse(PeerRevoked, "%s was revoked at %s (%s), says its stapled OCSP response", nameOf(leaf), stamp(r.revokedAt), reasonName(r.reason))}
	case r.status == ocspUnknown:
		return unknown(errors.New("the stapled OCSP response says that the responder does not know the certificate"))
	}
	return revocationStatus{given: true, until: r.nextUpdate.Add(clockSkew)}
}

// validUntil returns when a peer that the policy accepted at that time wants to
// be judged again. It verifies no signature.
func (p *peerPolicy) validUntil(chains [][]*x509.Certificate, staple []byte, at time.Time) time.Time {
	if p.checksRevocation() && p.revocation == RevocationHard {
		var response revocationStatus
		if p.ocsp != OCSPOff {
			response.until = stapleEnd(staple, chains[0])
			response.given = !response.until.IsZero()
		}
		for _, chain := range chains {
			if status := p.checkChain(chain, response, at); status.revoked == nil && status.unknown == nil {
				return status.until
			}
		}
	}
	return chainEnd(chains[0])
}

// chainEnd is the earliest NotAfter.
func chainEnd(chain []*x509.Certificate) time.Time {
	var end time.Time
	for _, cert := range chain {
		end = earliest(end, cert.NotAfter)
	}
	return end
}

// earliest returns the earlier time; the zero value is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func nameOf(cert *x509.Certificate) string {
	return fmt.Sprintf("the certificate %s (serial %x)", subjectOf(cert), cert.SerialNumber)
}

var reasonNames = [...]string{
	0: "unspecified", 1: "key compromise", 2: "CA compromise", 3: "affiliation changed", 4: "superseded",
	5: "cessation of operation", 6: "certificate hold", 8: "removed from CRL", 9: "privilege withdrawn", 10: "AA compromise",
}

// reasonName names a reason of RFC 5280, section 5.3.1.
func reasonName(code int) string {
	if code < 0 || code >= len(reasonNames) || reasonNames[code] == "" {
		return "unknown reason"
	}
	return reasonNames[code]
}

package tlsx

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// weigher judges a new chain against the certificate in use: a defect is
// excused only when the current one is worse. The excuse goes to warning.
func weigher(current *Snapshot, keepSANs bool, warning *error) func([]*x509.Certificate, Usage, time.Time) []problem {
	return func(chain []*x509.Certificate, usage Usage, now time.Time) []problem {
		if sameSet(rawOf(chain), rawOf(current.chain)) && chain[0].Equal(current.leaf) {
			return nil // nothing to prefer: a change of the trust must not wait for it
		}
		problems := checkChain(chain, usage, now)
		if lost := lostSANs(current.leaf, chain[0]); keepSANs && len(lost) > 0 {
			problems = append(problems, problem{roleCert, because(ReasonLostSANs, fmt.Errorf(
				"lacks names of the current certificate: %s; issue it with them, or leave out tlsx.WithKeptSANs", strings.Join(lost, ", ")))})
		}
		if len(problems) == 0 {
			return nil
		}
		errs := make([]error, len(problems))
		for i, p := range problems {
			errs[i] = &FileError{Role: p.role, Err: p.err}
		}
		joined := errors.Join(errs...)
		if !better(chain, joined, current, now) {
			return problems
		}
		*warning = joined
		return nil
	}
}

// badness orders defects of a certificate by how surely peers refuse it: those
// with a clock ahead of ours take one that is not valid yet.
var badness = map[ReloadReason]int{ReasonLostSANs: 1, ReasonNotYetValid: 2, ReasonExpired: 3, ReasonWrongUsage: 4}

// better reports whether a chain with the defects serves more peers than the
// current one.
func better(chain []*x509.Certificate, defects error, current *Snapshot, now time.Time) bool {
	bad := 0
	for _, reason := range reasonsOf(defects) {
		b, known := badness[reason]
		if !known {
			return false
		}
		bad = max(bad, b)
	}
	currentBad := 0
	switch {
	case now.After(current.notAfter):
		currentBad = badness[ReasonExpired]
	case now.Before(current.leaf.NotBefore):
		currentBad = badness[ReasonNotYetValid]
	}
	switch {
	case bad != currentBad:
		return bad < currentBad
	case bad == badness[ReasonExpired]:
		return servedNotAfter(chain).After(current.notAfter)
	case bad == badness[ReasonNotYetValid]:
		return chain[0].NotBefore.Before(current.leaf.NotBefore)
	}
	return false
}

// lostSANs lists the names of was that now lacks, fit for a log line.
func lostSANs(was, now *x509.Certificate) []string {
	var lost []string
	for _, name := range was.DNSNames {
		if !slices.ContainsFunc(now.DNSNames, func(n string) bool { return strings.EqualFold(n, name) }) {
			lost = append(lost, clean(name))
		}
	}
	for _, ip := range was.IPAddresses {
		if !slices.ContainsFunc(now.IPAddresses, ip.Equal) {
			lost = append(lost, ip.String())
		}
	}
	for _, uri := range was.URIs {
		if !slices.ContainsFunc(now.URIs, func(u *url.URL) bool { return u.String() == uri.String() }) {
			lost = append(lost, clean(uri.String()))
		}
	}
	if len(lost) > maxSANs {
		lost = append(lost[:maxSANs], fmt.Sprintf("and %d more", len(lost)-maxSANs))
	}
	return lost
}

// sameIdentity reports whether p serves what s does. A leaf fixes its key, and
// the order of the intermediates means something only when it was wrong and now
// is right: before TLS 1.3 each certificate had to certify the one before it.
func (s *Snapshot) sameIdentity(p parts) bool {
	was, now := s.cert().Certificate, p.cert.Certificate
	if !bytes.Equal(was[0], now[0]) || !sameSet(was[1:], now[1:]) {
		return false
	}
	return slices.EqualFunc(was, now, bytes.Equal) || !inOrder(p.chain) || inOrder(s.chain)
}

// inOrder reports whether each certificate is issued by the one after it.
func inOrder(chain []*x509.Certificate) bool {
	for i := 1; i < len(chain); i++ {
		if !mayIssue(chain[i], chain[i-1]) {
			return false
		}
	}
	return true
}

// sameSet compares certificates regardless of order and repetition.
func sameSet(a, b [][]byte) bool {
	within := func(a, b [][]byte) bool {
		for _, x := range a {
			if !slices.ContainsFunc(b, func(y []byte) bool { return bytes.Equal(x, y) }) {
				return false
			}
		}
		return true
	}
	return within(a, b) && within(b, a)
}

// sameTrust reports whether p judges peers as s does.
func (s *Snapshot) sameTrust(p parts) bool {
	return s.clientAuth == p.clientAuth && s.usage == p.usage && sameSet(rawOf(s.cas), rawOf(p.cas)) && s.policy.equal(p.policy)
}

func rawOf(certs []*x509.Certificate) [][]byte {
	raw := make([][]byte, len(certs))
	for i, c := range certs {
		raw[i] = c.Raw
	}
	return raw
}

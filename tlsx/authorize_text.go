package tlsx

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const (
	maxMatcherText = 64 << 10
	maxTermText    = 4096
)

// ParseMatcher reads the text form of a [Matcher]. The error says which term is
// wrong, why, and how to write it.
func ParseMatcher(text string) (Matcher, error) {
	if len(text) > maxMatcherText {
		return Matcher{}, fmt.Errorf("tlsx: the matcher is longer than %d bytes; split it into several", maxMatcherText)
	}
	m := newMatcher(parseTerm, strings.Split(text, " "))
	if text == "" {
		m.err = errEmptyMatcher
	}
	if m.err != nil {
		return Matcher{}, fmt.Errorf("tlsx: matcher: %w", m.err)
	}
	return m, nil
}

// MarshalText returns the text form. It fails for a matcher that is not valid.
func (m Matcher) MarshalText() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("tlsx: matcher: %w", err)
	}
	return []byte(m.text()), nil
}

// UnmarshalText reads the text form.
func (m *Matcher) UnmarshalText(text []byte) error {
	parsed, err := ParseMatcher(string(text))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

func parseTerm(text string) (matchTerm, error) {
	if text == "" {
		return matchTerm{}, errors.New("it has an empty term; put one space between terms and none around them")
	}
	if rest, ok := strings.CutPrefix(text, dnsPrefix); ok {
		return parseDNSTerm(rest)
	}
	if rest, ok := strings.CutPrefix(text, uriPrefix); ok {
		return parseURITerm(rest)
	}
	rest, ok := strings.CutPrefix(text, spiffeScheme)
	if !ok {
		return matchTerm{}, fmt.Errorf("term %s has no known form; begin it with dns:, uri: or spiffe://", shownTerm(text))
	}
	if domain, ok := strings.CutSuffix(rest, "/*"); ok && !strings.Contains(domain, "/") {
		return parseDomainTerm(domain)
	}
	return parseSPIFFETerm(text)
}

func parseSPIFFETerm(id string) (matchTerm, error) {
	rest, ok := strings.CutPrefix(id, spiffeScheme)
	domain, path, hasPath := strings.Cut(rest, "/")
	fail := func(what string) (matchTerm, error) {
		return matchTerm{}, fmt.Errorf("SPIFFE ID %s %s", shownTerm(id), what)
	}
	switch {
	case !ok:
		return fail("does not begin with spiffe://; write spiffe://trust-domain/path")
	case len(id) > maxSPIFFEID:
		return fail(fmt.Sprintf("is longer than %d bytes; shorten it", maxSPIFFEID))
	case !validTrustDomain(domain):
		return fail("has no valid trust domain; use lower-case letters, digits, dots, dashes and underscores, and no port")
	case !hasPath || path == "":
		return fail("has no path; add the workload's, or write spiffe://" + domain + "/* to allow the whole trust domain")
	case strings.Contains(path, "*"):
		return fail("has a wildcard, which may only stand for the whole path; write spiffe://" + domain + "/* for all of the trust domain")
	case !validSPIFFEID(id):
		return fail("has no valid path; use letters, digits, dots, dashes and underscores between single slashes, no final slash, and neither . nor .. as a segment")
	}
	return matchTerm{matchSPIFFE, id}, nil
}

func parseDomainTerm(domain string) (matchTerm, error) {
	if !validTrustDomain(domain) {
		return matchTerm{}, fmt.Errorf("trust domain %s is not valid; use lower-case letters, digits, dots, dashes and underscores, without scheme, port and path", shownTerm(domain))
	}
	return matchTerm{matchDomain, domain}, nil
}

func validTrustDomain(domain string) bool {
	return domain != "" && len(domain) <= maxTrustDomain && !strings.ContainsFunc(domain, notDomainChar)
}

func parseDNSTerm(pattern string) (matchTerm, error) {
	fail := func(what string) (matchTerm, error) {
		return matchTerm{}, fmt.Errorf("DNS name %s %s", shownTerm(pattern), what)
	}
	name, wild := strings.CutPrefix(pattern, "*.")
	_, ipErr := netip.ParseAddr(name)
	switch {
	case ipErr == nil:
		return fail("is an IP address, which no DNS SAN holds; use the peer's DNS name")
	case strings.Contains(name, "*"):
		return fail("has a wildcard that is not its whole first label; write *.example.org")
	case strings.HasSuffix(name, "."):
		return fail("ends with a dot; leave it out")
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }):
		return fail("is not ASCII; write its Punycode form")
	case !validDNSName(name):
		return fail("is not valid; use labels of letters, digits, dashes and underscores, without scheme and port")
	}
	name = strings.ToLower(name)
	if wild {
		return matchTerm{matchSuffix, "." + name}, nil
	}
	return matchTerm{matchDNS, name}, nil
}

func parseURITerm(uri string) (matchTerm, error) {
	fail := func(what string) (matchTerm, error) {
		return matchTerm{}, fmt.Errorf("URI %s %s", shownTerm(uri), what)
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || len(uri) > maxTermText || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fail("is not valid; write it as in the certificate, escaped and without spaces")
	case u.Scheme == "":
		return fail("has no scheme; write it whole, as in the certificate")
	case u.Scheme == "spiffe":
		return fail("is a SPIFFE ID, which has rules of its own; write it without uri:, or use AllowSPIFFEID")
	case u.String() != uri:
		return fail("is not in its normal form; write " + shownTerm(u.String()))
	}
	return matchTerm{matchURI, uri}, nil
}

// shownTerm quotes what the operator wrote, bounded.
func shownTerm(text string) string { return fmt.Sprintf("%q", clean(text)) }

package tlsx

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Matcher matches peers by the names in their verified certificate. It only
// allows; nothing denies. Make one with [AllowSPIFFEID], [AllowTrustDomain],
// [AllowDNS], [AllowURI], [AnyOf] or [ParseMatcher]. The zero value matches
// nobody and is refused where it is used. It is immutable.
//
// Its text form, for JSON and flags, is one or more terms with a space between
// them; a peer needs to match one:
//
//	spiffe://example.org/ns/shop/sa/web   this SPIFFE ID
//	spiffe://example.org/*                every SPIFFE ID of the trust domain
//	dns:web.example.org                   this DNS name
//	dns:*.example.org                     every name one label below
//	uri:https://example.org/web           this URI
type Matcher struct {
	terms []matchTerm // sorted, without duplicates
	err   error       // of the constructor, reported where the matcher is used
}

type matchKind int

const (
	matchSPIFFE matchKind = iota
	matchDomain
	matchDNS
	matchSuffix // a DNS wildcard; the value is what follows the asterisk
	matchURI
)

type matchTerm struct {
	kind  matchKind
	value string
}

const (
	spiffeScheme = "spiffe://"
	dnsPrefix    = "dns:"
	uriPrefix    = "uri:"
)

func (t matchTerm) String() string {
	switch t.kind {
	case matchDomain:
		return spiffeScheme + t.value + "/*"
	case matchDNS:
		return dnsPrefix + t.value
	case matchSuffix:
		return dnsPrefix + "*" + t.value
	case matchURI:
		return uriPrefix + t.value
	default:
		return t.value
	}
}

// AllowSPIFFEID matches peers with one of the SPIFFE IDs, such as
// "spiffe://example.org/ns/shop/sa/web". The peer's certificate must be an
// X.509-SVID: one URI SAN, no CA.
func AllowSPIFFEID(ids ...string) Matcher { return newMatcher(parseSPIFFETerm, ids) }

// AllowTrustDomain matches every SPIFFE ID of the trust domains, such as
// "example.org".
func AllowTrustDomain(domains ...string) Matcher { return newMatcher(parseDomainTerm, domains) }

// AllowDNS matches peers with a DNS SAN that one of the patterns names: a DNS
// name, or one with an asterisk as its first label, which stands for exactly one
// label. Case does not matter. A wildcard SAN names no single peer and matches
// nothing.
func AllowDNS(patterns ...string) Matcher { return newMatcher(parseDNSTerm, patterns) }

// AllowURI matches peers with a URI SAN that equals one of the URIs, which must
// be absolute. SPIFFE IDs have a function of their own.
func AllowURI(uris ...string) Matcher { return newMatcher(parseURITerm, uris) }

// AnyOf matches what any of the matchers does.
func AnyOf(matchers ...Matcher) Matcher {
	var out Matcher
	var errs []error
	for _, m := range matchers {
		if err := m.check(); err != nil {
			errs = append(errs, err)
		}
		out.terms = append(out.terms, m.terms...)
	}
	out.sort()
	out.err = errors.Join(errs...)
	return out
}

func newMatcher(parse func(string) (matchTerm, error), values []string) Matcher {
	var m Matcher
	var errs []error
	for _, value := range values {
		term, err := parse(value)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.terms = append(m.terms, term)
	}
	m.sort()
	m.err = errors.Join(errs...)
	return m
}

func (m *Matcher) sort() {
	slices.SortFunc(m.terms, func(a, b matchTerm) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return strings.Compare(a.value, b.value)
	})
	m.terms = slices.Compact(m.terms)
}

var errEmptyMatcher = errors.New("the matcher names nobody; give it a name, or leave it out to admit every verified peer")

// check returns what is wrong with the matcher.
func (m Matcher) check() error {
	if m.err != nil {
		return m.err
	}
	if len(m.terms) == 0 {
		return errEmptyMatcher
	}
	return nil
}

// Matches reports whether the peer matches.
func (m Matcher) Matches(peer Identity) bool {
	if m.err != nil || peer.IsZero() {
		return false
	}
	return newAuthorizer(m).allows(peer.leaf())
}

// String returns the text form, or what is wrong with the matcher.
func (m Matcher) String() string {
	if err := m.check(); err != nil {
		return fmt.Sprintf("tlsx.Matcher(invalid: %v)", err)
	}
	return m.text()
}

func (m Matcher) text() string {
	texts := make([]string, len(m.terms))
	for i, t := range m.terms {
		texts[i] = t.String()
	}
	return strings.Join(texts, " ")
}

// An authorizer is an allow-list ready for lookups.
type authorizer struct {
	all                           Matcher
	ids, domains, dns, under, uri map[string]bool
}

func newAuthorizer(m Matcher) *authorizer {
	a := &authorizer{all: m}
	set := func(into *map[string]bool, value string) {
		if *into == nil {
			*into = map[string]bool{}
		}
		(*into)[value] = true
	}
	for _, t := range m.terms {
		switch t.kind {
		case matchSPIFFE:
			set(&a.ids, t.value)
		case matchDomain:
			set(&a.domains, t.value)
		case matchDNS:
			set(&a.dns, t.value)
		case matchSuffix:
			set(&a.under, t.value)
		case matchURI:
			set(&a.uri, t.value)
		}
	}
	return a
}

// allows reports whether the names of a verified leaf are on the list.
func (a *authorizer) allows(leaf *x509.Certificate) bool {
	if len(a.ids)+len(a.domains) > 0 {
		if id := spiffeID(leaf); id != "" {
			domain, _, _ := strings.Cut(strings.TrimPrefix(id, spiffeScheme), "/")
			if a.ids[id] || a.domains[domain] {
				return true
			}
		}
	}
	if len(a.dns)+len(a.under) > 0 && slices.ContainsFunc(leaf.DNSNames, a.allowsDNS) {
		return true
	}
	if len(a.uri) > 0 {
		for _, u := range leaf.URIs {
			if a.uri[u.String()] {
				return true
			}
		}
	}
	return false
}

func (a *authorizer) allowsDNS(name string) bool {
	if !validDNSName(name) {
		return false
	}
	name = strings.ToLower(name)
	if a.dns[name] {
		return true
	}
	dot := strings.IndexByte(name, '.')
	return dot > 0 && a.under[name[dot:]]
}

// equal reports whether both lists allow the same names.
func (a *authorizer) equal(b *authorizer) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(a.all.terms, b.all.terms)
}

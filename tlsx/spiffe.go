package tlsx

import (
	"crypto/x509"
	"strings"
)

// spiffeID returns the SPIFFE ID of a leaf as the X.509-SVID standard
// (sections 2 and 4.1) wants it: exactly one URI SAN, not a CA, a path.
func spiffeID(leaf *x509.Certificate) string {
	if len(leaf.URIs) != 1 || leaf.IsCA {
		return ""
	}
	id := leaf.URIs[0].String()
	if !validSPIFFEID(id) {
		return ""
	}
	return id
}

const (
	maxSPIFFEID    = 2048
	maxTrustDomain = 255
)

// validSPIFFEID checks the form of a workload's ID (SPIFFE-ID standard,
// section 2): spiffe://trust-domain/path with a restricted alphabet.
func validSPIFFEID(id string) bool {
	rest, ok := strings.CutPrefix(id, "spiffe://")
	if !ok || len(id) > maxSPIFFEID {
		return false
	}
	domain, path, ok := strings.Cut(rest, "/")
	if !ok || domain == "" || len(domain) > maxTrustDomain || strings.ContainsFunc(domain, notDomainChar) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notPathChar) {
			return false
		}
	}
	return true
}

func notDomainChar(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
}

func notPathChar(r rune) bool {
	return notDomainChar(r) && (r < 'A' || r > 'Z')
}

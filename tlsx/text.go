package tlsx

import (
	"crypto/x509"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxText = 256 // bytes of one name from a certificate
	maxSANs = 16
)

// clean makes text from a certificate fit for a log line: bounded, on one
// line, without control characters.
func clean(s string) string { return cleanTo(s, maxText) }

func cleanTo(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		s = strings.Trim(strconv.QuoteToASCII(s), `"`)
	}
	if cut {
		s += "..."
	}
	return s
}

// sans lists the names of a certificate, at most maxSANs.
func sans(cert *x509.Certificate) []string {
	total := len(cert.DNSNames) + len(cert.IPAddresses) + len(cert.URIs)
	out := make([]string, 0, min(total, maxSANs+1))
	add := func(s string) {
		if len(out) < maxSANs {
			out = append(out, clean(s))
		}
	}
	for _, u := range cert.URIs {
		add(u.String())
	}
	for _, name := range cert.DNSNames {
		add(name)
	}
	for _, ip := range cert.IPAddresses {
		add(ip.String())
	}
	if more := total - len(out); more > 0 {
		out = append(out, "and "+strconv.Itoa(more)+" more")
	}
	return out
}

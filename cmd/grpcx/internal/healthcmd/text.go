package healthcmd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// maxNames bounds what a certificate or a server can bring into one line.
const maxNames = 8

// list quotes names and joins them, and says how many more there are.
func list(names []string) string {
	quoted := make([]string, 0, maxNames)
	for _, name := range names[:min(len(names), maxNames)] {
		quoted = append(quoted, fmt.Sprintf("%.100q", name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - maxNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// names lists what a certificate can be verified for.
func names(cert *x509.Certificate) []string {
	all := append([]string{}, cert.DNSNames...) // not nil, which JSON writes as null
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// leafOf returns the certificate of the server, nil where there is none.
func leafOf(state *tls.ConnectionState) *x509.Certificate {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	return state.PeerCertificates[0]
}

func subject(cert *x509.Certificate) string {
	if name := cert.Subject.String(); name != "" {
		return fmt.Sprintf("%.200q", name)
	}
	return fmt.Sprintf("serial %x", cert.SerialNumber)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// tlsVersion is "1.3" rather than "TLS 1.3".
func tlsVersion(state *tls.ConnectionState) string {
	return strings.TrimPrefix(tls.VersionName(state.Version), "TLS ")
}

// short rounds a duration to what matters to people.
func short(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

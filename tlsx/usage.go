package tlsx

import (
	"crypto/x509"
	"fmt"
	"slices"
)

// Usage says which side of a connection a certificate is for. The zero value is
// a server's. The certificate must permit the use: one that lists extended key
// usages (RFC 5280, section 4.2.1.12) must list serverAuth, clientAuth or, for
// both sides, the two. Its text form is "server", "client" or "both".
type Usage int

const (
	// ForServer is for [Snapshot.ServerConfig] and [ServerConfig].
	ForServer Usage = iota
	// ForClient is for [ClientConfig]. The CA bundle then verifies servers.
	ForClient
	// ForBoth is for a peer that serves and calls with one certificate, as
	// workloads with an X.509-SVID do. The CA bundle verifies both sides.
	ForBoth
)

var usageNames = [...]string{ForServer: "server", ForClient: "client", ForBoth: "both"}

func (u Usage) valid() bool { return u >= 0 && int(u) < len(usageNames) }

// String returns the text form, or "Usage(n)" for an unknown value.
func (u Usage) String() string {
	if !u.valid() {
		return fmt.Sprintf("Usage(%d)", int(u))
	}
	return usageNames[u]
}

// MarshalText returns the text form. It fails for an unknown value.
func (u Usage) MarshalText() ([]byte, error) {
	if !u.valid() {
		return nil, fmt.Errorf("tlsx: %v is not a usage; use ForServer, ForClient or ForBoth", u)
	}
	return []byte(u.String()), nil
}

// UnmarshalText reads the text form.
func (u *Usage) UnmarshalText(text []byte) error {
	for i, name := range usageNames {
		if string(text) == name {
			*u = Usage(i)
			return nil
		}
	}
	return fmt.Errorf(`tlsx: usage %q is unknown; use "server", "client" or "both"`, text)
}

func (u Usage) server() bool { return u != ForClient }
func (u Usage) client() bool { return u != ForServer }

// permits reports whether the certificate may be used as eku says: it lists no
// usage at all, or this one.
func permits(cert *x509.Certificate, eku x509.ExtKeyUsage) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(cert.ExtKeyUsage, eku) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

package tlsx

import (
	"crypto/tls"
	"fmt"
)

// ClientAuth says what a server asks of its clients. The zero value requires a
// verified certificate. Its text form, for JSON and flags, is "require",
// "verify-if-given" or "none".
type ClientAuth int

const (
	// RequireClientCert refuses clients without a certificate that verifies.
	RequireClientCert ClientAuth = iota
	// VerifyClientCertIfGiven serves clients without a certificate; one that is
	// given must verify.
	VerifyClientCertIfGiven
	// NoClientCert asks for no certificate: clients stay anonymous.
	NoClientCert
)

var clientAuthNames = [...]string{
	RequireClientCert:       "require",
	VerifyClientCertIfGiven: "verify-if-given",
	NoClientCert:            "none",
}

func (a ClientAuth) valid() bool { return a >= 0 && int(a) < len(clientAuthNames) }

// String returns the text form, or "ClientAuth(n)" for an unknown value.
func (a ClientAuth) String() string {
	if !a.valid() {
		return fmt.Sprintf("ClientAuth(%d)", int(a))
	}
	return clientAuthNames[a]
}

// MarshalText returns the text form. It fails for an unknown value.
func (a ClientAuth) MarshalText() ([]byte, error) {
	if !a.valid() {
		return nil, fmt.Errorf("tlsx: %v is not a client authentication; use RequireClientCert, VerifyClientCertIfGiven or NoClientCert", a)
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads the text form.
func (a *ClientAuth) UnmarshalText(text []byte) error {
	for i, name := range clientAuthNames {
		if string(text) == name {
			*a = ClientAuth(i)
			return nil
		}
	}
	return fmt.Errorf(`tlsx: client authentication %q is unknown; use "require", "verify-if-given" or "none"`, text)
}

func (a ClientAuth) tls() tls.ClientAuthType {
	switch a {
	case VerifyClientCertIfGiven:
		return tls.VerifyClientCertIfGiven
	case NoClientCert:
		return tls.NoClientCert
	default:
		return tls.RequireAndVerifyClientCert
	}
}

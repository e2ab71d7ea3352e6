package certscmd

import (
	"crypto/x509"
	"time"
)

// A certView is a certificate in JSON. Its text is bounded and printable.
type certView struct {
	Subject      string    `json:"subject"`
	Issuer       string    `json:"issuer"`
	Serial       string    `json:"serial"`
	NotBefore    time.Time `json:"not_before"`
	NotAfter     time.Time `json:"not_after"`
	SecondsLeft  int64     `json:"seconds_left"` // negative once expired
	DNS          []string  `json:"dns"`
	IP           []string  `json:"ip"`
	URI          []string  `json:"uri"`
	Usages       []string  `json:"extended_key_usages"`
	IsCA         bool      `json:"is_ca"`
	KeyAlgorithm string    `json:"key_algorithm"`
	Signature    string    `json:"signature_algorithm"`
	SHA256       string    `json:"sha256"`
}

func viewCert(cert *x509.Certificate, now time.Time) certView {
	v := certView{
		Subject: clean(cert.Subject.String()), Issuer: clean(cert.Issuer.String()), Serial: serialText(cert.SerialNumber),
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), SecondsLeft: int64(cert.NotAfter.Sub(now) / time.Second),
		DNS: []string{}, IP: []string{}, URI: []string{}, Usages: usageTexts(cert), IsCA: cert.IsCA,
		KeyAlgorithm: string(algorithmOf(cert.PublicKey)), Signature: cert.SignatureAlgorithm.String(), SHA256: fingerprint(cert),
	}
	for _, name := range cert.DNSNames {
		v.DNS = append(v.DNS, clean(name))
	}
	for _, ip := range cert.IPAddresses {
		v.IP = append(v.IP, ip.String())
	}
	for _, u := range cert.URIs {
		v.URI = append(v.URI, clean(u.String()))
	}
	return v
}

func (v certView) names() []string {
	out := append([]string{}, v.URI...)
	out = append(out, v.DNS...)
	return append(out, v.IP...)
}

func usageTexts(cert *x509.Certificate) []string {
	out := []string{}
	for _, u := range cert.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, "serverAuth")
		case x509.ExtKeyUsageClientAuth:
			out = append(out, "clientAuth")
		case x509.ExtKeyUsageAny:
			out = append(out, "any")
		default:
			out = append(out, u.OID().String())
		}
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		out = append(out, oid.String())
	}
	return out
}

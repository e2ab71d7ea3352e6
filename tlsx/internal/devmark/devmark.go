// Package devmark holds the mark by which development certificates are known.
package devmark

import (
	"crypto/x509"
	"slices"
)

// Organization is the issuing organisation of every development certificate.
const Organization = "grpcx development certificates"

// Issued reports whether cert was issued by a development authority.
func Issued(cert *x509.Certificate) bool {
	return cert != nil && slices.Contains(cert.Issuer.Organization, Organization)
}

package tlsx

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
)

// A crlScope is what a CRL speaks about: its issuing distribution point (RFC
// 5280, section 5.2.5). The zero value covers every certificate of the issuer.
type crlScope struct {
	onlyUsers, onlyCAs bool
	uris               []string // names of the distribution point, sorted
}

// key tells scopes apart: CRLs of one issuer and scope supersede each other.
func (s crlScope) key() string {
	kind := "all"
	switch {
	case s.onlyUsers:
		kind = "users"
	case s.onlyCAs:
		kind = "cas"
	}
	return kind + "\x00" + strings.Join(s.uris, "\x00")
}

// covers reports whether the lack of an entry says that cert is not revoked.
func (s crlScope) covers(cert *x509.Certificate) bool {
	isCA := cert.BasicConstraintsValid && cert.IsCA
	if s.onlyUsers && isCA || s.onlyCAs && !isCA {
		return false
	}
	// A CRL that names its distribution point is one of several parts: it
	// speaks for the certificates that point to it.
	return len(s.uris) == 0 || slices.ContainsFunc(cert.CRLDistributionPoints, func(point string) bool {
		return slices.Contains(s.uris, point)
	})
}

type idpASN1 struct {
	Point         idpName        `asn1:"optional,tag:0"`
	OnlyUsers     bool           `asn1:"optional,tag:1"`
	OnlyCAs       bool           `asn1:"optional,tag:2"`
	SomeReasons   asn1.BitString `asn1:"optional,tag:3"`
	Indirect      bool           `asn1:"optional,tag:4"`
	OnlyAttribute bool           `asn1:"optional,tag:5"`
}

type idpName struct {
	Full     []asn1.RawValue `asn1:"optional,tag:0"`
	Relative asn1.RawValue   `asn1:"optional,tag:1"`
}

const tagURI = 6 // of a GeneralName (RFC 5280, section 4.2.1.6)

func parseScope(der []byte) (crlScope, error) {
	var idp idpASN1
	// The parser skips what it does not know at the end of a sequence, which
	// might be a restriction: accept only what it understood whole.
	rest, err := asn1.Unmarshal(der, &idp)
	if again, marshalErr := asn1.Marshal(idp); err != nil || len(rest) > 0 || marshalErr != nil || !bytes.Equal(again, der) {
		return crlScope{}, errors.New("its issuing distribution point is malformed; have the CA issue it again")
	}
	switch {
	case idp.Indirect:
		return crlScope{}, errors.New("it is an indirect CRL, which may speak for other issuers and is not supported; use the CRL of the CA itself")
	case idp.SomeReasons.BitLength > 0:
		return crlScope{}, errors.New("it lists some reasons of revocation only, which is not supported; use a CRL with all of them")
	case idp.OnlyAttribute:
		return crlScope{}, errors.New("it lists attribute certificates only, which TLS does not use; remove it")
	case idp.OnlyUsers && idp.OnlyCAs:
		return crlScope{}, errors.New("its issuing distribution point contradicts itself; have the CA issue it again")
	case len(idp.Point.Relative.FullBytes) > 0:
		return crlScope{}, errors.New("its distribution point has a name relative to the issuer, which is not supported; use one with a URI")
	}
	scope := crlScope{onlyUsers: idp.OnlyUsers, onlyCAs: idp.OnlyCAs}
	for _, name := range idp.Point.Full {
		if name.Class == asn1.ClassContextSpecific && name.Tag == tagURI {
			scope.uris = append(scope.uris, string(name.Bytes))
		}
	}
	if len(idp.Point.Full) > 0 && len(scope.uris) == 0 {
		return crlScope{}, errors.New("its distribution point is not named by a URI, which is not supported; use one with a URI")
	}
	slices.Sort(scope.uris)
	scope.uris = slices.Compact(scope.uris)
	return scope, nil
}

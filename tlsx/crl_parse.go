package tlsx

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// clockSkew is how far the clocks of a CA and of this machine may differ.
const clockSkew = 5 * time.Minute

// maxNumberBits bounds a CRL number (RFC 5280, section 5.2.3).
const maxNumberBits = 160

// A revokedEntry is when and why a serial number was revoked.
type revokedEntry struct {
	at     int64 // Unix seconds
	reason int8
}

// A parsedCRL is one CRL, checked as far as that goes without its issuer.
type parsedCRL struct {
	list    *x509.RevocationList
	path    string
	digest  [sha256.Size]byte
	scope   crlScope
	number  *big.Int // nil when it has none
	base    *big.Int // of a delta CRL, else nil
	issuer  *x509.Certificate
	entries map[string]revokedEntry // by serialKey
	removed map[string]bool         // a delta's removeFromCRL
}

var (
	oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidCRLNumber      = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidDeltaCRL       = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingPoint   = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidReasonCode     = asn1.ObjectIdentifier{2, 5, 29, 21}
)

const (
	reasonRemoveFromCRL = 8
	maxReason           = 10
)

// parseCRL checks one CRL in DER. What it does not understand it refuses: a
// critical extension may limit what the list says.
func parseCRL(der []byte, path string, now time.Time) (*parsedCRL, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("is not a valid CRL (%w); copy it again, or convert it with \"openssl crl\"", err)
	}
	if len(list.Raw) != len(der) {
		return nil, errors.New("has data after the CRL; copy it again")
	}
	c := &parsedCRL{list: list, path: path, digest: sha256.Sum256(der), number: list.Number}
	if err := c.readExtensions(); err != nil {
		return nil, err
	}
	switch list.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return nil, fmt.Errorf("is signed with %v, which is too weak; have the CA sign it with SHA-256", list.SignatureAlgorithm)
	default: // x509 refuses what it does not know
	}
	switch {
	case list.NextUpdate.IsZero():
		return nil, errors.New("has no nextUpdate, so that its age cannot be judged; have the CA set one")
	case list.NextUpdate.Before(list.ThisUpdate):
		return nil, errors.New("has a nextUpdate before its thisUpdate; have the CA issue it again")
	case list.ThisUpdate.After(now.Add(clockSkew)):
		return nil, fmt.Errorf("is not valid before %s; wait, or check the clock of this machine, which shows %s", stamp(list.ThisUpdate), stamp(now))
	case badNumber(c.number), badNumber(c.base):
		return nil, errors.New("has a CRL number that is negative or longer than 20 octets; have the CA issue it again")
	case c.base != nil && c.number == nil:
		return nil, errors.New("is a delta CRL without a number; have the CA issue it again")
	}
	return c, c.readEntries()
}

func badNumber(n *big.Int) bool { return n != nil && (n.Sign() < 0 || n.BitLen() > maxNumberBits) }

func (c *parsedCRL) readExtensions() error {
	seen := map[string]bool{}
	for _, ext := range c.list.Extensions {
		id := ext.Id.String()
		if seen[id] {
			return fmt.Errorf("has the extension %s twice; have the CA issue it again", id)
		}
		seen[id] = true
		switch {
		case ext.Id.Equal(oidAuthorityKeyID), ext.Id.Equal(oidCRLNumber):
		case ext.Id.Equal(oidIssuingPoint):
			scope, err := parseScope(ext.Value)
			if err != nil {
				return err
			}
			c.scope = scope
		case ext.Id.Equal(oidDeltaCRL):
			c.base = new(big.Int)
			if rest, err := asn1.Unmarshal(ext.Value, &c.base); err != nil || len(rest) > 0 {
				return errors.New("has a malformed delta indicator; have the CA issue it again")
			}
		case ext.Critical:
			return fmt.Errorf("has the critical extension %s, which is not supported; use a CRL without it", id)
		}
	}
	return nil
}

func (c *parsedCRL) readEntries() error {
	list := c.list.RevokedCertificateEntries
	c.entries = make(map[string]revokedEntry, len(list))
	for i := range list {
		e := &list[i]
		for _, ext := range e.Extensions {
			if ext.Critical && !ext.Id.Equal(oidReasonCode) {
				return fmt.Errorf("has an entry with the critical extension %s, which is not supported; use a CRL without it", ext.Id)
			}
		}
		key := string(serialKey(make([]byte, 0, maxSerial), e.SerialNumber))
		switch {
		case e.ReasonCode < 0 || e.ReasonCode > maxReason:
			return errors.New("has an entry with an unknown reason; have the CA issue it again")
		case e.ReasonCode != reasonRemoveFromCRL:
			c.entries[key] = revokedEntry{at: e.RevocationTime.Unix(), reason: int8(e.ReasonCode)}
		case c.base == nil:
			return errors.New("has an entry to remove, which only a delta CRL may; have the CA issue it again")
		default:
			if c.removed == nil {
				c.removed = map[string]bool{}
			}
			c.removed[key] = true
		}
	}
	// The parsed entries are several times the size of the map; let go of them.
	c.list = &x509.RevocationList{
		RawIssuer: c.list.RawIssuer, Issuer: c.list.Issuer, AuthorityKeyId: c.list.AuthorityKeyId,
		ThisUpdate: c.list.ThisUpdate, NextUpdate: c.list.NextUpdate,
		RawTBSRevocationList: c.list.RawTBSRevocationList, Signature: c.list.Signature, SignatureAlgorithm: c.list.SignatureAlgorithm,
	}
	return nil
}

// maxSerial holds the longest serial number (RFC 5280, section 4.1.2.2) and
// its sign without an allocation.
const maxSerial = 33

// serialKey appends the sign and magnitude of a serial number to buf.
func serialKey(buf []byte, serial *big.Int) []byte {
	sign := byte('+')
	if serial.Sign() < 0 {
		sign = '-'
	}
	buf = append(buf, sign)
	n := (serial.BitLen() + 7) / 8
	if n <= cap(buf)-len(buf) {
		return append(buf, serial.FillBytes(buf[len(buf):len(buf)+n])...)
	}
	return append(buf, serial.Bytes()...)
}

// verify finds the certificate whose key signed the CRL. It tells an issuer
// that is not known from a signature that does not verify.
func (c *parsedCRL) verify(issuers []*x509.Certificate) (known bool, err error) {
	for _, ca := range issuers {
		if !bytes.Equal(ca.RawSubject, c.list.RawIssuer) {
			continue
		}
		if len(c.list.AuthorityKeyId) > 0 && len(ca.SubjectKeyId) > 0 && !bytes.Equal(c.list.AuthorityKeyId, ca.SubjectKeyId) {
			continue
		}
		known = true
		if err = c.list.CheckSignatureFrom(ca); err == nil {
			c.issuer = ca
			return true, nil
		}
		if ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCRLSign == 0 {
			err = errors.New("its issuer may not sign CRLs: the key usage lacks cRLSign")
		}
	}
	return known, err
}

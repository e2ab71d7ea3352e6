package tlsx

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// The structures of RFC 6960, section 4.2.1. The package golang.org/x/crypto/ocsp
// hides the CertID, looks answers up by serial number alone, reads only the
// first enclosed certificate and lacks Ed25519; so the response is read here.

type ocspResponseASN1 struct {
	Status asn1.Enumerated
	Bytes  ocspBytes `asn1:"explicit,tag:0,optional"`
}

type ocspBytes struct {
	Type     asn1.ObjectIdentifier
	Response []byte
}

type ocspBasic struct {
	Data         ocspData
	Algorithm    pkix.AlgorithmIdentifier
	Signature    asn1.BitString
	Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type ocspData struct {
	Raw         asn1.RawContent
	Version     int `asn1:"optional,default:0,explicit,tag:0"`
	ResponderID asn1.RawValue
	ProducedAt  time.Time `asn1:"generalized"`
	Responses   []ocspSingle
	Extensions  []pkix.Extension `asn1:"optional,explicit,tag:1"`
}

type ocspSingle struct {
	CertID     ocspCertID
	Good       asn1.Flag        `asn1:"tag:0,optional"`
	Revoked    ocspRevokedInfo  `asn1:"tag:1,optional"`
	Unknown    asn1.Flag        `asn1:"tag:2,optional"`
	ThisUpdate time.Time        `asn1:"generalized"`
	NextUpdate time.Time        `asn1:"generalized,explicit,tag:0,optional"`
	Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
}

type ocspRevokedInfo struct {
	Time   time.Time       `asn1:"generalized"`
	Reason asn1.Enumerated `asn1:"explicit,tag:0,optional"`
}

type ocspCertID struct {
	Hash     pkix.AlgorithmIdentifier
	NameHash []byte
	KeyHash  []byte
	Serial   *big.Int
}

const (
	// maxOCSPSize bounds a response. With a certificate it is some 2 KiB.
	maxOCSPSize    = 64 << 10
	maxOCSPCerts   = 8
	maxOCSPAnswers = 64
)

var oidOCSPBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

// An ocspParsed is a response of status successful, not verified yet. Of its
// responder ID one part is set.
type ocspParsed struct {
	ocspBasic

	responderName, responderKey []byte
}

func parseOCSP(raw []byte) (*ocspParsed, error) {
	if len(raw) > maxOCSPSize {
		return nil, fmt.Errorf("is longer than %d bytes", maxOCSPSize)
	}
	var outer ocspResponseASN1
	if rest, err := asn1.Unmarshal(raw, &outer); err != nil || len(rest) > 0 {
		return nil, errors.New("is not a valid OCSP response")
	}
	if outer.Status != 0 {
		return nil, fmt.Errorf("reports the failure %q of the responder", ocspFailure(int(outer.Status)))
	}
	if !outer.Bytes.Type.Equal(oidOCSPBasic) {
		return nil, errors.New("is of an unknown type, not a basic OCSP response")
	}
	p := new(ocspParsed)
	if rest, err := asn1.Unmarshal(outer.Bytes.Response, &p.ocspBasic); err != nil || len(rest) > 0 {
		return nil, errors.New("is not a valid basic OCSP response")
	}
	if len(p.Data.Responses) > maxOCSPAnswers || len(p.Certificates) > maxOCSPCerts {
		return nil, fmt.Errorf("holds more than %d answers or %d certificates", maxOCSPAnswers, maxOCSPCerts)
	}
	if p.Data.Version != 0 {
		return nil, errors.New("is of an unknown version")
	}
	for i := range p.Data.Responses {
		single := &p.Data.Responses[i]
		said := 0
		for _, set := range []bool{bool(single.Good), bool(single.Unknown), !single.Revoked.Time.IsZero()} {
			if set {
				said++
			}
		}
		if said != 1 {
			return nil, errors.New("has an answer that is not one of good, revoked and unknown")
		}
	}
	return p, p.readResponder()
}

func (p *ocspParsed) readResponder() error {
	id := p.Data.ResponderID
	if id.Class == asn1.ClassContextSpecific && id.IsCompound {
		switch id.Tag {
		case 1:
			p.responderName = id.Bytes
		case 2:
			if rest, err := asn1.Unmarshal(id.Bytes, &p.responderKey); err != nil || len(rest) > 0 {
				p.responderKey = nil
			}
		}
	}
	if len(p.responderName) == 0 && len(p.responderKey) == 0 {
		return errors.New("has no valid responder ID")
	}
	return nil
}

// checkOCSPExtensions refuses what would limit the meaning of the answer.
func checkOCSPExtensions(list []pkix.Extension) error {
	for _, ext := range list {
		if ext.Critical {
			return fmt.Errorf("has the critical extension %s, which is not supported", ext.Id)
		}
	}
	return nil
}

// ocspFailure names a response status (RFC 6960, section 4.2.1).
func ocspFailure(status int) string {
	switch status {
	case 1:
		return "malformed request"
	case 2:
		return "internal error"
	case 3:
		return "try later"
	case 5:
		return "signature required"
	case 6:
		return "unauthorized"
	default:
		return fmt.Sprintf("status %d", status)
	}
}

var ocspSignatures = []struct {
	oid       asn1.ObjectIdentifier
	algorithm x509.SignatureAlgorithm
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, x509.SHA256WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, x509.SHA384WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, x509.SHA512WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, x509.ECDSAWithSHA256},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, x509.ECDSAWithSHA384},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, x509.ECDSAWithSHA512},
	{asn1.ObjectIdentifier{1, 3, 101, 112}, x509.PureEd25519},
}

// ocspSignature leaves out what is broken, MD5 and SHA-1, although SHA-1 would
// do for crypto/x509.
func ocspSignature(oid asn1.ObjectIdentifier) x509.SignatureAlgorithm {
	for _, s := range ocspSignatures {
		if s.oid.Equal(oid) {
			return s.algorithm
		}
	}
	return x509.UnknownSignatureAlgorithm
}

var certIDHashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

// certIDHash returns the hash that a CertID uses, zero for one not known.
func certIDHash(oid asn1.ObjectIdentifier) crypto.Hash {
	for _, h := range certIDHashes {
		if h.oid.Equal(oid) {
			return h.hash
		}
	}
	return 0
}

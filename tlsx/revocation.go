package tlsx

import "fmt"

// Revocation says what happens to a peer whose revocation status cannot be
// told: no CRL covers one of its certificates, the CRL is stale, or its OCSP
// response does not verify. A peer that is known to be revoked is refused under
// either. The zero value refuses. Its text form is "hard" or "soft".
type Revocation int

const (
	// RevocationHard refuses a peer whose status is unknown.
	RevocationHard Revocation = iota
	// RevocationSoft admits it and counts it; see [Snapshot.RevocationUnknown].
	RevocationSoft
)

var revocationNames = [...]string{RevocationHard: "hard", RevocationSoft: "soft"}

func (r Revocation) valid() bool { return r >= 0 && int(r) < len(revocationNames) }

// String returns the text form, or "Revocation(n)" for an unknown value.
func (r Revocation) String() string {
	if !r.valid() {
		return fmt.Sprintf("Revocation(%d)", int(r))
	}
	return revocationNames[r]
}

// MarshalText returns the text form. It fails for an unknown value.
func (r Revocation) MarshalText() ([]byte, error) {
	if !r.valid() {
		return nil, fmt.Errorf("tlsx: %v is not a revocation policy; use RevocationHard or RevocationSoft", r)
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads the text form.
func (r *Revocation) UnmarshalText(text []byte) error {
	for i, name := range revocationNames {
		if string(text) == name {
			*r = Revocation(i)
			return nil
		}
	}
	return fmt.Errorf(`tlsx: revocation policy %q is unknown; use "hard" or "soft"`, text)
}

// OCSP says what is made of the OCSP response (RFC 6960) that a peer staples to
// its own certificate. The zero value ignores it. A client can staple in TLS
// 1.3 only; a server in TLS 1.2 too. Its text form is "off", "verify-if-given"
// or "require".
//
// A response counts only when its signature, its responder and its CertID
// verify and it is fresh, on resumed sessions and at a recheck too. One that
// says revoked refuses the peer. One that does not verify leaves the status
// unknown, which [Revocation] judges. One that says good stands in for a
// missing or stale CRL of the leaf.
type OCSP int

const (
	// OCSPOff ignores what peers staple.
	OCSPOff OCSP = iota
	// OCSPVerifyIfGiven verifies a response that a peer staples.
	OCSPVerifyIfGiven
	// OCSPRequire takes a peer without a response for one of unknown status.
	// Under RevocationHard that refuses every TLS 1.2 client.
	OCSPRequire
)

var ocspNames = [...]string{OCSPOff: "off", OCSPVerifyIfGiven: "verify-if-given", OCSPRequire: "require"}

func (o OCSP) valid() bool { return o >= 0 && int(o) < len(ocspNames) }

// String returns the text form, or "OCSP(n)" for an unknown value.
func (o OCSP) String() string {
	if !o.valid() {
		return fmt.Sprintf("OCSP(%d)", int(o))
	}
	return ocspNames[o]
}

// MarshalText returns the text form. It fails for an unknown value.
func (o OCSP) MarshalText() ([]byte, error) {
	if !o.valid() {
		return nil, fmt.Errorf("tlsx: %v is not an OCSP policy; use OCSPOff, OCSPVerifyIfGiven or OCSPRequire", o)
	}
	return []byte(o.String()), nil
}

// UnmarshalText reads the text form.
func (o *OCSP) UnmarshalText(text []byte) error {
	for i, name := range ocspNames {
		if string(text) == name {
			*o = OCSP(i)
			return nil
		}
	}
	return fmt.Errorf(`tlsx: OCSP policy %q is unknown; use "off", "verify-if-given" or "require"`, text)
}

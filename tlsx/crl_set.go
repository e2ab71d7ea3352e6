package tlsx

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"slices"
	"time"
)

// A crlSet is the verified CRLs of one generation, ready for lookups. It is
// immutable. A nil set holds none.
type crlSet struct {
	issuers map[string][]*crlIssuer // by raw subject: a name may have several keys
	// revoked are anchors of the bundle that a CRL of another CA revokes.
	revoked []*x509.Certificate
	// floors are the newest versions ever seen, also of CRLs that are gone.
	floors  map[string]crlVersion
	digests [][sha256.Size]byte // of the CRLs in use, sorted
	infos   []CRLInfo
}

// A crlIssuer is a name and key that sign certificates and CRLs. Several
// certificates may hold them, such as cross certificates.
type crlIssuer struct {
	name, spki []byte
	lists      []*crlList
}

// A crlList is what one issuer says about one scope, with its delta applied.
type crlList struct {
	crlVersion
	scope      crlScope
	nextUpdate time.Time
	entries    map[string]revokedEntry
	delta      bool
	paths      []string
	digests    [][sha256.Size]byte
}

type crlVersion struct {
	number     *big.Int // nil when there is none
	thisUpdate time.Time
}

// before reports whether v is older than w.
func (v crlVersion) before(w crlVersion) bool {
	if v.number != nil && w.number != nil {
		if order := v.number.Cmp(w.number); order != 0 {
			return order < 0
		}
	}
	return v.thisUpdate.Before(w.thisUpdate)
}

// rollsBack reports whether v after w would lose revocations: a lower number or
// an older time.
func (v crlVersion) rollsBack(w crlVersion) bool {
	return v.number != nil && w.number != nil && v.number.Cmp(w.number) < 0 || v.thisUpdate.Before(w.thisUpdate)
}

// raise returns the newest of both, part by part.
func (v crlVersion) raise(w crlVersion) crlVersion {
	if v.number == nil || w.number != nil && w.number.Cmp(v.number) > 0 {
		v.number = w.number
	}
	if w.thisUpdate.After(v.thisUpdate) {
		v.thisUpdate = w.thisUpdate
	}
	return v
}

func (v crlVersion) numberText() string {
	if v.number == nil {
		return "without number"
	}
	return v.number.String()
}

// A crlState is what the CRLs say about one certificate.
type crlState int

const (
	crlMissing crlState = iota // no CRL covers it
	crlStale                   // the CRLs that cover it are out of date
	crlGood
	crlRevoked
)

// A crlVerdict is a state and what it rests on.
type crlVerdict struct {
	state crlState
	list  *crlList     // nil when missing
	entry revokedEntry // of a revoked one
}

// lookup judges cert, which issuer signed, at a time. It reads memory only.
func (s *crlSet) lookup(cert, issuer *x509.Certificate, at time.Time) crlVerdict {
	if s == nil {
		return crlVerdict{}
	}
	for _, is := range s.issuers[string(issuer.RawSubject)] {
		if bytes.Equal(is.spki, issuer.RawSubjectPublicKeyInfo) {
			return is.lookup(cert, at)
		}
	}
	return crlVerdict{}
}

func (is *crlIssuer) lookup(cert *x509.Certificate, at time.Time) (best crlVerdict) {
	key := serialKey(make([]byte, 0, maxSerial), cert.SerialNumber)
	for _, list := range is.lists {
		// Serial numbers are unique for an issuer, so an entry counts whatever
		// the scope is, and a revocation does not lapse when the list does.
		if entry, ok := list.entries[string(key)]; ok {
			return crlVerdict{state: crlRevoked, list: list, entry: entry}
		}
		if !list.scope.covers(cert) {
			continue
		}
		state := crlGood
		if list.staleAt(at) {
			state = crlStale
		}
		if state > best.state || state == best.state && list.nextUpdate.After(best.list.nextUpdate) {
			best = crlVerdict{state: state, list: list}
		}
	}
	return best
}

func (l *crlList) staleAt(at time.Time) bool { return at.After(l.staleAfter()) }

// staleAfter is the last moment at which the list counts.
func (l *crlList) staleAfter() time.Time { return l.nextUpdate.Add(clockSkew) }

// anchorRevoked reports whether a CRL revokes an anchor that is no root.
func (s *crlSet) anchorRevoked(anchor *x509.Certificate) bool {
	return s != nil && slices.ContainsFunc(s.revoked, anchor.Equal)
}

// equal reports whether both sets hold the same CRLs.
func (s *crlSet) equal(t *crlSet) bool {
	if s == nil || t == nil {
		return s == t
	}
	return slices.Equal(s.digests, t.digests)
}

// CRLInfo describes one CRL of a snapshot.
type CRLInfo struct {
	// Path is the file, and with a delta CRL that of the base, as it was found.
	// It is empty for a CRL from memory.
	Path string `json:"path,omitempty"`
	// Issuer is the name of the CA.
	Issuer string `json:"issuer"`
	// Number is the CRL number in decimal, that of the delta where one is
	// applied, and empty when the CRL has none.
	Number string `json:"number,omitempty"`
	// Delta reports whether a delta CRL is applied.
	Delta bool `json:"delta,omitempty"`
	// ThisUpdate is when it was issued; NextUpdate when it goes stale, after
	// which its issuer's certificates are of unknown status.
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	// Revoked counts its entries.
	Revoked int `json:"revoked"`
	// Ignored is why the CRL is not used, empty when it is.
	Ignored string `json:"ignored,omitempty"`
}

// CRLs describes the CRLs of the snapshot. The slice is the caller's.
func (s *Snapshot) CRLs() []CRLInfo {
	if s.policy.crls == nil {
		return nil
	}
	return slices.Clone(s.policy.crls.infos)
}

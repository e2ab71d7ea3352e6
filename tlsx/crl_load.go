package tlsx

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A namedBlob is the content of a CRL file.
type namedBlob struct {
	path string // empty for memory
	data []byte
}

// parseCRLs turns the content of CRL files into a set. Each CRL must be signed
// by a CA of the bundle, or by an intermediate whose certificate stands in a CRL
// file and leads to the bundle. A CRL that is older than what previous has seen
// of its issuer and scope is refused; previous may be nil.
//
// The set is nil when there are problems. A CRL whose issuer is not known is no
// problem but of no use: it is listed as ignored, so that a CA can be removed
// from the bundle before its CRL is.
func parseCRLs(blobs []namedBlob, cas []*x509.Certificate, previous *crlSet, now time.Time) (*crlSet, []*FileError) {
	l := crlLoader{now: now, cas: cas, floors: map[string]crlVersion{}}
	if previous != nil {
		maps.Copy(l.floors, previous.floors)
	}
	for _, b := range blobs {
		if err := l.decode(b); err != nil {
			l.fail(b.path, err)
		}
	}
	l.verifyHelpers()
	for _, c := range l.parsed {
		l.assign(c)
	}
	for _, key := range slices.Sorted(maps.Keys(l.slots)) {
		l.combine(key, l.slots[key])
	}
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return l.finish(), nil
}

type crlLoader struct {
	now      time.Time
	cas      []*x509.Certificate
	helpers  []crlHelper
	issuers  []*x509.Certificate // the bundle and the helpers
	parsed   []*parsedCRL
	slots    map[string]*crlSlot
	floors   map[string]crlVersion
	set      crlSet
	problems []*FileError
}

// A crlHelper is a certificate in a CRL file.
type crlHelper struct {
	cert  *x509.Certificate
	block pemBlock
	path  string
}

// A crlSlot collects the CRLs of one issuer and scope.
type crlSlot struct{ bases, deltas []*parsedCRL }

func (l *crlLoader) fail(path string, err error) {
	l.problems = append(l.problems, &FileError{Role: roleCRL, Path: path, Err: err})
}

// decode reads one file: a CRL in DER, or PEM with CRLs and certificates.
func (l *crlLoader) decode(b namedBlob) error {
	// A CRL in DER is longer than 127 bytes, so its length begins with a byte
	// that no text holds.
	if len(b.data) > 1 && b.data[0] == 0x30 && b.data[1] >= 0x80 {
		c, err := parseCRL(b.data, b.path, l.now)
		if err != nil {
			return err
		}
		l.parsed = append(l.parsed, c)
		return nil
	}
	blocks, err := decodePEM(b.data)
	if err != nil {
		return err
	}
	found := len(l.parsed)
	for _, block := range blocks {
		switch block.Type {
		case "X509 CRL":
			c, err := parseCRL(block.Bytes, b.path, l.now)
			if err != nil {
				return block.errorf("%w", err)
			}
			l.parsed = append(l.parsed, c)
		case "CERTIFICATE":
			cert, err := parseCertificate(block)
			if err == nil {
				err = checkCA(cert)
			}
			if err != nil {
				return block.errorf("%w", err)
			}
			l.helpers = append(l.helpers, crlHelper{cert, block, b.path})
		default:
			return block.errorf("is %s, not X509 CRL; remove it", labelOf(block))
		}
	}
	if found == len(l.parsed) && len(blocks) == 0 {
		return errors.New("the file holds no X509 CRL block; name a PEM or DER file with a CRL")
	}
	return nil
}

// verifyHelpers accepts the certificates that lead to the bundle.
func (l *crlLoader) verifyHelpers() {
	l.issuers = slices.Clone(l.cas)
	if len(l.helpers) == 0 {
		return
	}
	opts := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   l.now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, ca := range l.cas {
		opts.Roots.AddCert(ca)
	}
	for _, h := range l.helpers {
		opts.Intermediates.AddCert(h.cert)
	}
	for _, h := range l.helpers {
		if slices.ContainsFunc(l.issuers, h.cert.Equal) {
			continue
		}
		if _, err := h.cert.Verify(opts); err != nil {
			l.fail(h.path, h.block.errorf("(%s) does not lead to the CA bundle (%w); remove it, or add its CA to the bundle", subjectOf(h.cert), err))
			continue
		}
		l.issuers = append(l.issuers, h.cert)
	}
}

// assign verifies a CRL and puts it into the slot of its issuer and scope.
func (l *crlLoader) assign(c *parsedCRL) {
	known, err := c.verify(l.issuers)
	switch {
	case !known:
		info := c.info()
		info.Ignored = "no CA of the bundle has its issuer's name and key; add the CA, or an intermediate's certificate to the CRL file, or remove the CRL"
		l.set.infos = append(l.set.infos, info)
		return
	case err != nil:
		l.fail(c.path, fmt.Errorf("its signature by %s does not verify (%w); fetch it again from the CA", clean(c.list.Issuer.String()), err))
		return
	}
	key := slotKey(c.issuer, c.scope)
	if l.slots == nil {
		l.slots = map[string]*crlSlot{}
	}
	slot := l.slots[key]
	if slot == nil {
		slot = new(crlSlot)
		l.slots[key] = slot
	}
	if c.base == nil {
		slot.bases = append(slot.bases, c)
	} else {
		slot.deltas = append(slot.deltas, c)
	}
}

func slotKey(issuer *x509.Certificate, scope crlScope) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:", len(issuer.RawSubject))
	_, _ = h.Write(issuer.RawSubject)
	_, _ = h.Write(issuer.RawSubjectPublicKeyInfo)
	return string(h.Sum(nil)) + scope.key()
}

func (c *parsedCRL) version() crlVersion {
	return crlVersion{number: c.number, thisUpdate: c.list.ThisUpdate}
}

func (c *parsedCRL) info() CRLInfo {
	info := CRLInfo{
		Path: c.path, Issuer: clean(c.list.Issuer.String()), Delta: c.base != nil,
		ThisUpdate: c.list.ThisUpdate, NextUpdate: c.list.NextUpdate, Revoked: len(c.entries),
	}
	if c.number != nil {
		info.Number = c.number.String()
	}
	return info
}

func newest(list []*parsedCRL) *parsedCRL {
	best := list[0]
	for _, c := range list[1:] {
		if best.version().before(c.version()) {
			best = c
		}
	}
	return best
}

// combine makes the list of a slot: the newest base with the newest delta that
// fits it (RFC 5280, section 5.2.4).
func (l *crlLoader) combine(key string, slot *crlSlot) {
	if len(slot.bases) == 0 {
		l.fail(slot.deltas[0].path, errors.New("is a delta CRL without its base; add the complete CRL of the same issuer and distribution point"))
		return
	}
	base := newest(slot.bases)
	list := &crlList{
		crlVersion: base.version(), scope: base.scope, nextUpdate: base.list.NextUpdate,
		entries: base.entries, paths: []string{base.path}, digests: [][sha256.Size]byte{base.digest},
	}
	if len(slot.deltas) > 0 {
		if err := list.apply(base, newest(slot.deltas)); err != nil {
			l.fail(newest(slot.deltas).path, err)
			return
		}
	}
	if floor, ok := l.floors[key]; ok && list.rollsBack(floor) {
		l.fail(base.path, fmt.Errorf("is older (%s, issued %s) than the CRL already seen (%s, issued %s), so that revocations would be lost; fetch the newest from the CA, and keep a delta CRL until a newer base comes",
			list.numberText(), stamp(list.thisUpdate), floor.numberText(), stamp(floor.thisUpdate)))
		return
	}
	l.floors[key] = list.raise(l.floors[key])

	issuer := l.set.issuer(base.issuer)
	issuer.lists = append(issuer.lists, list)
	info := base.info()
	info.Path = strings.Join(slices.Compact(list.paths), ", ")
	info.Delta, info.Revoked = list.delta, len(list.entries)
	info.ThisUpdate, info.NextUpdate = list.thisUpdate, list.nextUpdate
	if list.number != nil {
		info.Number = list.number.String()
	}
	l.set.infos = append(l.set.infos, info)
	l.set.digests = append(l.set.digests, list.digests...)
}

// apply adds a delta to the list of its base.
func (l *crlList) apply(base, delta *parsedCRL) error {
	switch {
	case base.number == nil:
		return errors.New("is a delta CRL, but its base has no number to match; have the CA number it")
	case delta.number.Cmp(base.number) <= 0:
		return nil // the base is newer and holds it all
	case delta.base.Cmp(base.number) > 0:
		return fmt.Errorf("is a delta to base %v, but the base at hand is number %v; fetch the newer base", delta.base, base.number)
	case delta.list.ThisUpdate.Before(base.list.ThisUpdate):
		return errors.New("is a delta CRL that was issued before its base; fetch it again from the CA")
	}
	l.entries = maps.Clone(base.entries)
	maps.Copy(l.entries, delta.entries)
	for serial := range delta.removed {
		delete(l.entries, serial)
	}
	l.delta = true
	l.crlVersion = delta.version()
	// Without the next delta the list is not known to be complete.
	if delta.list.NextUpdate.Before(l.nextUpdate) {
		l.nextUpdate = delta.list.NextUpdate
	}
	l.paths = append(l.paths, delta.path)
	l.digests = append(l.digests, delta.digest)
	return nil
}

func (s *crlSet) issuer(cert *x509.Certificate) *crlIssuer {
	name := string(cert.RawSubject)
	for _, is := range s.issuers[name] {
		if bytes.Equal(is.spki, cert.RawSubjectPublicKeyInfo) {
			return is
		}
	}
	is := &crlIssuer{name: cert.RawSubject, spki: cert.RawSubjectPublicKeyInfo}
	if s.issuers == nil {
		s.issuers = map[string][]*crlIssuer{}
	}
	s.issuers[name] = append(s.issuers[name], is)
	return is
}

// finish looks once for anchors that are revoked by another CA: no chain holds
// the issuer of its anchor, so a handshake could not look that up.
func (l *crlLoader) finish() *crlSet {
	set := &l.set
	set.floors = l.floors
	slices.SortFunc(set.digests, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, ca := range l.cas {
		for _, issuer := range l.issuers {
			if bytes.Equal(ca.RawIssuer, issuer.RawSubject) && !bytes.Equal(ca.RawSubject, ca.RawIssuer) &&
				set.lookup(ca, issuer, l.now).state == crlRevoked && ca.CheckSignatureFrom(issuer) == nil {
				set.revoked = append(set.revoked, ca)
				break
			}
		}
	}
	return set
}

package tlsx

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// A peerPolicy is what a snapshot demands of a peer beyond a chain to the CA
// bundle. The zero value demands nothing. It is part of the trust.
type peerPolicy struct {
	crls       *crlSet // nil: none are configured
	revocation Revocation
	ocsp       OCSP
	allow      *authorizer // nil: every verified peer
	// unknown counts the peers that RevocationSoft admitted; it lives as long
	// as the source.
	unknown *atomic.Uint64
}

// equal reports whether both policies judge every peer alike.
func (p peerPolicy) equal(q peerPolicy) bool {
	return p.crls.equal(q.crls) && p.revocation == q.revocation && p.ocsp == q.ocsp && p.allow.equal(q.allow)
}

// checksRevocation reports whether the policy asks for a status at all.
func (p peerPolicy) checksRevocation() bool { return p.crls != nil || p.ocsp != OCSPOff }

// RevocationUnknown counts the peers of unknown revocation status that
// [RevocationSoft] admitted, at handshakes and rechecks, since the source
// started.
func (s *Snapshot) RevocationUnknown() uint64 {
	if s.policy.unknown == nil {
		return 0
	}
	return s.policy.unknown.Load()
}

// policySettings are the fields that Files and Material share.
type policySettings struct {
	usage      Usage
	auth       ClientAuth
	hasCRL     bool
	revocation Revocation
	ocsp       OCSP
	allow      []Matcher
	owner      string // "Files" or "Material"
}

// check returns the settings that contradict each other or would do nothing.
func (c policySettings) check() []problem {
	var out []problem
	fail := func(role, format string, args ...any) {
		out = append(out, problem{role, fmt.Errorf(format, args...)})
	}
	noClients := c.auth == NoClientCert && c.usage != ForClient
	switch {
	case !c.revocation.valid():
		fail(roleCRL, "%v is not a revocation policy; use tlsx.RevocationHard or tlsx.RevocationSoft", c.revocation)
	case c.hasCRL && noClients:
		fail(roleCRL, "one is given, but %s.ClientAuth is none, so it would never be used; remove it, or use tlsx.RequireClientCert", c.owner)
	case c.revocation != RevocationHard && !c.hasCRL && c.ocsp == OCSPOff:
		fail(roleCRL, "%s.Revocation is %v, but no revocation is checked; name CRLs, or set %s.OCSP, or leave it unset", c.owner, c.revocation, c.owner)
	}
	switch {
	case !c.ocsp.valid():
		fail(roleOCSP, "%v is not an OCSP policy; use tlsx.OCSPOff, tlsx.OCSPVerifyIfGiven or tlsx.OCSPRequire", c.ocsp)
	case c.ocsp != OCSPOff && noClients:
		fail(roleOCSP, "%s.OCSP is %v, but %s.ClientAuth is none, so nothing would be verified; leave it unset, or use tlsx.RequireClientCert", c.owner, c.ocsp, c.owner)
	}
	if len(c.allow) == 0 {
		return out
	}
	switch {
	case c.usage == ForClient:
		fail(roleAllow, "%s.Allow lists clients and means nothing for one; leave it out, and name the server to tlsx.ClientConfig", c.owner)
	case c.auth != RequireClientCert:
		fail(roleAllow, "%s.ClientAuth is %v, so that a client could pass %s.Allow by leaving its certificate out; use tlsx.RequireClientCert, or leave Allow out", c.owner, c.auth, c.owner)
	}
	for i, m := range c.allow {
		if err := m.check(); err != nil {
			fail(roleAllow, "%s.Allow[%d]: %w", c.owner, i, err)
		}
	}
	return out
}

// authorizer returns the allow-list ready for lookups, nil for none.
func (c policySettings) authorizer() *authorizer {
	if len(c.allow) == 0 {
		return nil
	}
	return newAuthorizer(AnyOf(c.allow...))
}

// policy builds the policy without its CRLs.
func (c policySettings) policy(previous *Snapshot) peerPolicy {
	p := peerPolicy{revocation: c.revocation, ocsp: c.ocsp, allow: c.authorizer()}
	if previous != nil {
		p.unknown = previous.policy.unknown
	}
	if p.unknown == nil {
		p.unknown = new(atomic.Uint64)
	}
	return p
}

func (f Files) policySettings() policySettings {
	return policySettings{
		usage: f.Usage, auth: f.ClientAuth, hasCRL: len(f.CRL) > 0,
		revocation: f.Revocation, ocsp: f.OCSP, allow: f.Allow, owner: "Files",
	}
}

// policy builds the policy of files and adds what is wrong to the problems. It
// reads CRLs only once the bundle that verifies them is known.
func (l *loader) policy(cas []*x509.Certificate) peerPolicy {
	f := l.files
	settings := f.policySettings()
	found := settings.check()
	for _, p := range found {
		l.add(p.role, "", p.err)
	}
	p := settings.policy(l.previous)
	if len(f.CRL) == 0 || len(cas) == 0 || len(found) > 0 {
		return p
	}
	blobs, ok := l.readCRLs()
	if !ok {
		return p
	}
	var previous *crlSet
	if l.previous != nil {
		previous = l.previous.policy.crls
	}
	crls, problems := parseCRLs(blobs, cas, previous, l.now)
	for _, e := range problems {
		l.errs = append(l.errs, e)
	}
	p.crls = crls
	return p
}

// maxCRLTotal bounds all CRL files together.
const maxCRLTotal = 32 << 20

// readCRLs returns the content of every CRL file and of the files in every CRL
// directory, or false when any of it could not be read: fewer CRLs than are
// configured must not pass for all.
func (l *loader) readCRLs() ([]namedBlob, bool) {
	var blobs []namedBlob
	errs := len(l.errs)
	total := 0
	read := func(path string) {
		data, err := l.view.file(path)
		if err != nil {
			l.add(roleCRL, path, because(readReason(err), err))
			return
		}
		total += len(data)
		blobs = append(blobs, namedBlob{path: path, data: data})
	}
	for _, path := range l.files.CRL {
		if path == "" {
			l.add(roleCRL, path, errors.New("no file is named; remove the empty entry of Files.CRL"))
			continue
		}
		names, isDir, err := l.view.list(path)
		switch {
		case err != nil:
			l.add(roleCRL, path, because(readReason(err), err))
		case !isDir:
			read(path)
		case len(names) == 0:
			// Not told apart from a volume that is not filled yet. Losing every
			// CRL takes the removal of the entry.
			l.add(roleCRL, path, because(ReasonMissing, errors.New("the directory holds no CRL; add one, or remove the directory from Files.CRL")))
		default:
			for _, name := range names {
				read(name)
			}
		}
	}
	if total > maxCRLTotal {
		l.add(roleCRL, "", fmt.Errorf("the %d files hold %d bytes together, more than %d; remove those of CAs that are not in the bundle", len(blobs), total, maxCRLTotal))
	}
	return blobs, len(l.errs) == errs
}

// policy builds the policy of material.
func (m Material) policy(cas []*x509.Certificate, now time.Time) (peerPolicy, []problem) {
	settings := policySettings{
		usage: m.Usage, auth: m.ClientAuth, hasCRL: len(m.CRLs) > 0,
		revocation: m.Revocation, ocsp: m.OCSP, allow: m.Allow, owner: "Material",
	}
	found := settings.check()
	p := settings.policy(nil)
	if len(m.CRLs) == 0 || len(cas) == 0 || len(found) > 0 {
		return p, found
	}
	var blobs []namedBlob
	for _, data := range m.CRLs {
		blobs = append(blobs, namedBlob{data: slices.Clone(data)})
	}
	crls, problems := parseCRLs(blobs, cas, nil, now)
	for _, e := range problems {
		found = append(found, problem{e.Role, e.Err})
	}
	p.crls = crls
	return p, found
}

package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// Each state of a chain under each policy, judged by Recheck and by the
// handshake alike.
func TestCRLStates(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	mid := ca.Intermediate(t, "mid")
	server := ca.Issue(t, certtest.Server)
	direct, below := ca.Issue(t, certtest.Client), mid.Issue(t, certtest.Client)
	rootCRL := crl{number: 1}.by(t, ca)
	stale := crl{number: 1, edit: nextUpdate(-time.Hour)}.by(t, ca)
	// The intermediate's CRL, with its certificate to verify it by.
	midCRL := func(c crl) []byte { return append(crlPEM(c.by(t, mid)), mid.PEM()...) }

	for _, tc := range []struct {
		name       string
		peer       *certtest.Leaf
		crls       [][]byte
		hard, soft tlsx.PeerReason
		want       string
	}{
		{"good, DER", direct, [][]byte{rootCRL}, "", "", ""},
		{"good, PEM", direct, [][]byte{crlPEM(rootCRL)}, "", "", ""},
		{"other serial revoked", direct, [][]byte{crl{number: 1, revoked: []*x509.Certificate{below.Cert, server.Cert}}.by(t, ca)}, "", "", ""},
		{"revoked", direct, [][]byte{crl{number: 1, revoked: []*x509.Certificate{direct.Cert}}.by(t, ca)}, tlsx.PeerRevoked, tlsx.PeerRevoked, "key compromise"},
		{"stale", direct, [][]byte{stale}, tlsx.PeerRevocationUnknown, "", "is stale: its nextUpdate was"},
		{"stale within the skew", direct, [][]byte{crl{number: 1, edit: nextUpdate(-time.Minute)}.by(t, ca)}, "", "", ""},
		{"revoked, stale", direct, [][]byte{crl{number: 1, revoked: []*x509.Certificate{direct.Cert}, edit: nextUpdate(-time.Hour)}.by(t, ca)}, tlsx.PeerRevoked, tlsx.PeerRevoked, "was revoked at"},
		{"chain good", below, [][]byte{rootCRL, midCRL(crl{number: 1})}, "", "", ""},
		{"intermediate's CRL missing", below, [][]byte{rootCRL}, tlsx.PeerRevocationUnknown, "", "no CRL of CN=mid"},
		{"root's CRL missing", below, [][]byte{midCRL(crl{number: 1})}, tlsx.PeerRevocationUnknown, "", "no CRL of CN=root"},
		{"leaf revoked by the intermediate", below, [][]byte{midCRL(crl{number: 1, revoked: []*x509.Certificate{below.Cert}})}, tlsx.PeerRevoked, tlsx.PeerRevoked, "was revoked"},
		{"intermediate revoked", below, [][]byte{crl{number: 1, revoked: []*x509.Certificate{mid.Cert}}.by(t, ca), midCRL(crl{number: 1})}, tlsx.PeerRevoked, tlsx.PeerRevoked, "CN=mid"},
		{"a CRL of a CA that is not trusted", direct, [][]byte{crl{number: 1}.by(t, certtest.NewCA(t, "stranger"))}, tlsx.PeerRevocationUnknown, "", "no CRL of CN=root"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for policy, want := range map[tlsx.Revocation]tlsx.PeerReason{tlsx.RevocationHard: tc.hard, tlsx.RevocationSoft: tc.soft} {
				s := withMaterial(t, server, func(m *tlsx.Material) { m.CRLs, m.Revocation = tc.crls, policy }, ca)
				id, err := s.Recheck(peerState(tc.peer), time.Now())
				assert.Equal(t, reasonOf(err), want, policy.String())
				if want != "" {
					assert.ErrorContains(t, err, tc.want)
					assert.True(t, id.IsZero())
				}
				counted := uint64(0)
				if policy == tlsx.RevocationSoft && tc.hard == tlsx.PeerRevocationUnknown {
					counted = 1
				}
				assert.Equal(t, s.RevocationUnknown(), counted, "unknown peers admitted")
				for _, v := range versions {
					_, _, serverErr, clientErr := handshake(t, s.ServerConfig(), withVersion(plainClient(ca, tc.peer.TLS()), v))
					assert.Equal(t, reasonOf(serverErr), want)
					assert.Equal(t, clientErr != nil, want != "")
				}
			}
		})
	}
}

// A CRL goes stale while nothing changes.
func TestCRLGoesStale(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client := ca.Issue(t, certtest.Client)
	next := time.Now().Add(2 * time.Hour).Truncate(time.Second).UTC()
	list := crl{number: 7, edit: func(l *x509.RevocationList) { l.NextUpdate = next }}.by(t, ca)
	edit := func(m *tlsx.Material) { m.CRLs = [][]byte{list} }
	s := withMaterial(t, ca.Issue(t, certtest.Server), edit, ca)

	id, err := s.Recheck(peerState(client), next)
	assert.NoError(t, err)
	until := next.Add(5 * time.Minute)
	assert.Equal(t, id.ValidUntil(), until)
	_, err = s.Recheck(peerState(client), until)
	assert.NoError(t, err)
	_, err = s.Recheck(peerState(client), until.Add(time.Second))
	assert.Equal(t, reasonOf(err), tlsx.PeerRevocationUnknown)

	ss, _, serverErr, _ := handshake(t, s.ServerConfig(), plainClient(ca, client.TLS()))
	assert.NoError(t, serverErr)
	id, ok := s.PeerIdentity(ss)
	assert.True(t, ok)
	assert.Equal(t, id.ValidUntil(), until, "after the handshake")
	id, _ = tlsx.PeerIdentity(ss)
	assert.Equal(t, id.ValidUntil(), client.Cert.NotAfter, "without the snapshot")

	infos := s.CRLs()
	assert.Equal(t, len(infos), 1)
	assert.Equal(t, infos[0].Number, "7")
	assert.Equal(t, infos[0].NextUpdate, next)
	assert.Equal(t, infos[0].Issuer, "CN=root,O=certtest")
	infos[0].Number = "x"
	assert.Equal(t, s.CRLs()[0].Number, "7", "a copy")
}

// A CA that got a new key under its old name: both CRLs hold, each for the
// certificates of its key.
func TestCRLsOfOneName(t *testing.T) {
	old, renewed := certtest.NewCA(t, "root"), certtest.NewCA(t, "root")
	oldClient, newClient := old.Issue(t, certtest.Client), renewed.Issue(t, certtest.Client)
	// Each CRL revokes the serial number of the other key's client too, which
	// must mean nothing.
	server := old.Issue(t, certtest.Server)
	check := func(oldRevoked, newRevoked []*x509.Certificate, oldWant, newWant tlsx.PeerReason) {
		t.Helper()
		s := withMaterial(t, server, func(m *tlsx.Material) {
			m.CRLs = [][]byte{crlPEM(crl{number: 9, revoked: oldRevoked}.by(t, old), crl{number: 2, revoked: newRevoked}.by(t, renewed))}
		}, old, renewed)
		_, err := s.Recheck(peerState(oldClient), time.Now())
		assert.Equal(t, reasonOf(err), oldWant)
		_, err = s.Recheck(peerState(newClient), time.Now())
		assert.Equal(t, reasonOf(err), newWant)
	}
	check(nil, nil, "", "")
	check([]*x509.Certificate{oldClient.Cert}, nil, tlsx.PeerRevoked, "")
	check(nil, []*x509.Certificate{newClient.Cert}, "", tlsx.PeerRevoked)
	check([]*x509.Certificate{newClient.Cert}, []*x509.Certificate{oldClient.Cert}, "", "")
}

// Cross-signed: a chain through a cross certificate that is revoked does not
// count, another chain does.
func TestCRLAnyGoodChain(t *testing.T) {
	first, second := certtest.NewCA(t, "first"), certtest.NewCA(t, "second")
	mid := first.Intermediate(t, "mid")
	cross := second.CrossSign(t, mid)
	client := mid.Issue(t, certtest.Client)
	client.Chain = append(client.Chain, cross)
	server := first.Issue(t, certtest.Server)
	midCRL := append(crlPEM(crl{number: 1}.by(t, mid)), mid.PEM()...)
	for _, tc := range []struct {
		name          string
		first, second []*x509.Certificate
		want          tlsx.PeerReason
	}{
		{"none", nil, nil, ""},
		{"first", []*x509.Certificate{mid.Cert}, nil, ""},
		{"second", nil, []*x509.Certificate{cross}, ""},
		{"both", []*x509.Certificate{mid.Cert}, []*x509.Certificate{cross}, tlsx.PeerRevoked},
	} {
		s := withMaterial(t, server, func(m *tlsx.Material) {
			m.CRLs = [][]byte{crl{number: 1, revoked: tc.first}.by(t, first), crl{number: 1, revoked: tc.second}.by(t, second), midCRL}
		}, first, second)
		_, err := s.Recheck(peerState(client), time.Now())
		assert.Equal(t, reasonOf(err), tc.want, tc.name)
	}
}

// An intermediate in the bundle is trusted by itself and needs no CRL above it,
// but one that revokes it counts.
func TestCRLRevokesAnchor(t *testing.T) {
	root := certtest.NewCA(t, "root")
	mid := root.Intermediate(t, "mid")
	client, server := mid.Issue(t, certtest.Client), root.Issue(t, certtest.Server)
	midCRL := crl{number: 1}.by(t, mid)
	s := withMaterial(t, server, func(m *tlsx.Material) { m.CRLs = [][]byte{midCRL} }, mid)
	_, err := s.Recheck(peerState(client), time.Now())
	assert.NoError(t, err)

	rootCRL := crl{number: 1, revoked: []*x509.Certificate{mid.Cert}}.by(t, root)
	s = withMaterial(t, server, func(m *tlsx.Material) { m.CRLs = [][]byte{midCRL, rootCRL} }, mid, root)
	_, err = s.Recheck(peerState(client), time.Now())
	assert.Equal(t, reasonOf(err), tlsx.PeerRevoked)
	alone := peerState(client)
	alone.PeerCertificates = alone.PeerCertificates[:1]
	_, err = s.Recheck(alone, time.Now())
	assert.Equal(t, reasonOf(err), tlsx.PeerRevoked)
	assert.ErrorContains(t, err, "remove it from the CA bundle")
}

func TestCRLScopes(t *testing.T) {
	const here, elsewhere = "http://crl.test/here", "http://crl.test/elsewhere"
	ca := certtest.NewCA(t, "root")
	mid := ca.Intermediate(t, "mid", func(c *x509.Certificate) { c.CRLDistributionPoints = []string{elsewhere} })
	pointing := certtest.Client
	pointing.Edit = func(c *x509.Certificate) { c.CRLDistributionPoints = []string{here} }
	client := ca.Issue(t, pointing)
	now := time.Now()
	for _, tc := range []struct {
		name        string
		crls        []crl
		user, inter string
	}{
		{"users only", []crl{{number: 1, point: &point{OnlyUsers: true}}}, "good", "missing"},
		{"CAs only", []crl{{number: 1, point: &point{OnlyCAs: true}}}, "missing", "good"},
		{"both, split", []crl{{number: 1, point: &point{OnlyUsers: true}}, {number: 5, point: &point{OnlyCAs: true}}}, "good", "good"},
		{"revoked in the part for users", []crl{{number: 1, point: &point{OnlyUsers: true}, revoked: []*x509.Certificate{client.Cert}}, {number: 5, point: &point{OnlyCAs: true}}}, "revoked", "good"},
		{"one part", []crl{{number: 1, point: &point{Name: uriPoint(here)}}}, "good", "missing"},
		{"both parts", []crl{{number: 1, point: &point{Name: uriPoint(here)}}, {number: 2, point: &point{Name: uriPoint(elsewhere)}}}, "good", "good"},
		{"revoked in a part it does not point to", []crl{{number: 1, point: &point{Name: uriPoint(here)}}, {number: 2, point: &point{Name: uriPoint(elsewhere)}, revoked: []*x509.Certificate{client.Cert}}}, "revoked", "good"},
		{"a stale part beside a fresh whole", []crl{{number: 1, point: &point{OnlyUsers: true}, edit: nextUpdate(-time.Hour)}, {number: 2}}, "good", "good"},
		{"a newer one supersedes", []crl{{number: 3}, {number: 2, revoked: []*x509.Certificate{client.Cert}}}, "good", "good"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var blobs [][]byte
			for _, c := range tc.crls {
				blobs = append(blobs, c.by(t, ca))
			}
			set, err := tlsx.ParseCRLs(blobs, []*x509.Certificate{ca.Cert}, nil, now)
			assert.NoError(t, err)
			assert.Equal(t, set.State(client.Cert, ca.Cert, now), tc.user, "user")
			assert.Equal(t, set.State(mid.Cert, ca.Cert, now), tc.inter, "CA")
		})
	}
}

func TestCRLDelta(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	a, b, c := ca.Issue(t, certtest.Client).Cert, ca.Issue(t, certtest.Client).Cert, ca.Issue(t, certtest.Client).Cert
	one := func(certs ...*x509.Certificate) []*x509.Certificate { return certs }
	base := crl{number: 5, revoked: one(a, b)}
	for _, tc := range []struct {
		name   string
		crls   []crl
		states []string // of a, b, c
		want   string
	}{
		{"adds", []crl{base, {number: 6, base: 5, revoked: one(c)}}, []string{"revoked", "revoked", "revoked"}, ""},
		{"removes", []crl{base, {number: 6, base: 5, removed: one(a)}}, []string{"good", "revoked", "good"}, ""},
		{"newest counts", []crl{{number: 6, base: 5, revoked: one(c)}, base, {number: 7, base: 5, removed: one(b)}}, []string{"revoked", "good", "good"}, ""},
		{"to an older base that is held whole", []crl{base, {number: 8, base: 4, revoked: one(c)}}, []string{"revoked", "revoked", "revoked"}, ""},
		{"obsolete", []crl{base, {number: 5, base: 4, revoked: one(c)}}, []string{"revoked", "revoked", "good"}, ""},
		{"stale delta", []crl{base, {number: 6, base: 5, edit: func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-10 * time.Minute) }}}, []string{"revoked", "revoked", "stale"}, ""},
		{"to a newer base", []crl{base, {number: 7, base: 6, revoked: one(c)}}, nil, "is a delta to base 6, but the base at hand is number 5"},
		{"without a base", []crl{{number: 7, base: 6}}, nil, "without its base"},
		{"of another scope", []crl{base, {number: 7, base: 5, point: &point{OnlyUsers: true}}}, nil, "without its base"},
		{"older than its base", []crl{base, {number: 6, base: 5, edit: func(l *x509.RevocationList) { l.ThisUpdate = l.ThisUpdate.Add(-time.Hour) }}}, nil, "issued before its base"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var blobs [][]byte
			for _, c := range tc.crls {
				blobs = append(blobs, c.by(t, ca))
			}
			set, err := tlsx.ParseCRLs(blobs, []*x509.Certificate{ca.Cert}, nil, time.Now())
			if tc.want != "" {
				assert.ErrorContains(t, err, tc.want)
				return
			}
			assert.NoError(t, err)
			for i, cert := range one(a, b, c) {
				assert.Equal(t, set.State(cert, ca.Cert, time.Now()), tc.states[i], string(rune('a'+i)))
			}
		})
	}
}

func TestCRLRollback(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	cas := []*x509.Certificate{ca.Cert, other.Cert}
	now := time.Now()
	at := func(d time.Duration) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ThisUpdate = now.Add(d) }
	}
	first := crl{number: 5, edit: at(-time.Hour)}.by(t, ca)
	previous, err := tlsx.ParseCRLs([][]byte{first}, cas, nil, now)
	assert.NoError(t, err)
	for _, tc := range []struct {
		name string
		next []byte
		want string
	}{
		{"the same", first, ""},
		{"newer", crl{number: 6, edit: at(-time.Minute)}.by(t, ca), ""},
		{"lower number", crl{number: 4, edit: at(-time.Minute)}.by(t, ca), "is older (4"},
		{"older time", crl{number: 6, edit: at(-2 * time.Hour)}.by(t, ca), "revocations would be lost"},
		{"another issuer", crl{number: 1, edit: at(-3 * time.Hour)}.by(t, other), ""},
		{"another scope", crl{number: 1, edit: at(-3 * time.Hour), point: &point{OnlyUsers: true}}.by(t, ca), ""},
	} {
		_, err := tlsx.ParseCRLs([][]byte{tc.next}, cas, previous, now)
		assert.Equal(t, err != nil, tc.want != "", tc.name)
		if tc.want != "" {
			assert.ErrorContains(t, err, tc.want)
		}
	}

	// What was seen is remembered while the CRL is away, and a delta that was
	// applied must not get lost either.
	gone, err := tlsx.ParseCRLs([][]byte{crl{number: 1}.by(t, other)}, cas, previous, now)
	assert.NoError(t, err)
	_, err = tlsx.ParseCRLs([][]byte{crl{number: 4}.by(t, ca)}, cas, gone, now)
	assert.ErrorContains(t, err, "is older")
	base := crl{number: 6}.by(t, ca)
	applied, err := tlsx.ParseCRLs([][]byte{base, crl{number: 7, base: 6}.by(t, ca)}, cas, gone, now)
	assert.NoError(t, err)
	_, err = tlsx.ParseCRLs([][]byte{base}, cas, applied, now)
	assert.ErrorContains(t, err, "keep a delta CRL")
	_, err = tlsx.ParseCRLs([][]byte{crl{number: 8}.by(t, ca)}, cas, applied, now)
	assert.NoError(t, err)
}

func TestCRLRefused(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	impostor := certtest.NewCA(t, "root", func(c *x509.Certificate) { c.SubjectKeyId = ca.Cert.SubjectKeyId })
	noSign := certtest.NewCA(t, "nosign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	signs := *noSign.Cert
	signs.KeyUsage |= x509.KeyUsageCRLSign // as its own software believes
	good := crl{number: 1}.by(t, ca)
	damaged := append([]byte(nil), good...)
	damaged[len(damaged)-1] ^= 1
	withExtension := func(id asn1.ObjectIdentifier, critical bool) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.ExtraExtensions = append(l.ExtraExtensions, extension(t, id, critical, 1))
		}
	}
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"damaged signature", damaged, "does not verify"},
		{"of an impostor", crl{number: 1}.by(t, impostor), "does not verify"},
		{"of a CA without cRLSign", crl{number: 1}.by(t, &certtest.CA{Cert: &signs, Key: noSign.Key}), "lacks cRLSign"},
		{"truncated", good[:len(good)-10], "is not a valid CRL"},
		{"trailing data", append(append([]byte(nil), good...), 0), "data after the CRL"},
		{"empty PEM", []byte("# nothing\n"), "holds no X509 CRL block"},
		{"a key", ca.Issue(t, certtest.Client).KeyPEM(t), "is PRIVATE KEY, not X509 CRL"},
		{"a leaf", ca.Issue(t, certtest.Client).CertPEM(), "is not a CA"},
		{"a stranger's intermediate", certtest.NewCA(t, "stranger").PEM(), "does not lead to the CA bundle"},
		{"PEM cut off", crlPEM(good)[:100], "has no END line"},
		{"indirect", crl{number: 1, point: &point{Indirect: true}}.by(t, ca), "indirect"},
		{"some reasons", crl{number: 1, point: &point{SomeReasons: asn1.BitString{Bytes: []byte{0x40}, BitLength: 2}}}.by(t, ca), "some reasons"},
		{"attributes", crl{number: 1, point: &point{OnlyAttribute: true}}.by(t, ca), "attribute certificates"},
		{"contradiction", crl{number: 1, point: &point{OnlyUsers: true, OnlyCAs: true}}.by(t, ca), "contradicts itself"},
		{"relative name", crl{number: 1, point: &point{Name: pointName{Relative: asn1.RawValue{Class: 2, Tag: 1, IsCompound: true}}}}.by(t, ca), "relative to the issuer"},
		{"directory name", crl{number: 1, point: &point{Name: pointName{Full: []asn1.RawValue{{Class: 2, Tag: 4, IsCompound: true}}}}}.by(t, ca), "not named by a URI"},
		{"malformed point", crl{number: 1, edit: withExtension(asn1.ObjectIdentifier{2, 5, 29, 28}, true)}.by(t, ca), "issuing distribution point is malformed"},
		{"malformed delta", crl{number: 1, edit: func(l *x509.RevocationList) {
			l.ExtraExtensions = append(l.ExtraExtensions, extension(t, asn1.ObjectIdentifier{2, 5, 29, 27}, true, "x"))
		}}.by(t, ca), "malformed delta"},
		{"unknown critical extension", crl{number: 1, edit: withExtension(asn1.ObjectIdentifier{1, 2, 3}, true)}.by(t, ca), "critical extension 1.2.3"},
		{"extension twice", crl{number: 1, edit: func(l *x509.RevocationList) {
			withExtension(asn1.ObjectIdentifier{1, 2, 3}, false)(l)
			withExtension(asn1.ObjectIdentifier{1, 2, 3}, false)(l)
		}}.by(t, ca), "twice"},
		{"critical extension of an entry", crl{number: 1, edit: func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: time.Now(),
				ExtraExtensions: withCritical(t)}}
		}}.by(t, ca), "entry with the critical extension 2.5.29.29"},
		{"removal without delta", crl{number: 1, removed: []*x509.Certificate{ca.Cert}}.by(t, ca), "only a delta CRL may"},
		{"from the future", crl{number: 1, edit: func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(time.Hour) }}.by(t, ca), "not valid before"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tlsx.ParseCRLs([][]byte{tc.data}, []*x509.Certificate{ca.Cert, noSign.Cert}, nil, time.Now())
			assert.ErrorContains(t, err, tc.want)
			// Beside a good one it counts no less.
			set, err := tlsx.ParseCRLs([][]byte{good, tc.data}, []*x509.Certificate{ca.Cert, noSign.Cert}, nil, time.Now())
			assert.True(t, set == nil && err != nil)
		})
	}
}

// A server's certificate is checked by clients in the same way.
func TestClientChecksRevocation(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	server, client := ca.Issue(t, certtest.Server), ca.Issue(t, certtest.Client)
	serving := serverSnapshot(t, server, tlsx.RequireClientCert, ca).ServerConfig()
	for want, list := range map[tlsx.PeerReason]crl{
		"":                         {number: 1},
		tlsx.PeerRevoked:           {number: 1, revoked: []*x509.Certificate{server.Cert}},
		tlsx.PeerRevocationUnknown: {number: 1, edit: nextUpdate(-time.Hour)},
	} {
		s := withMaterial(t, client, func(m *tlsx.Material) { m.Usage, m.CRLs = tlsx.ForClient, [][]byte{list.by(t, ca)} }, ca)
		cfg := tlsx.ClientConfig(tlsx.Static(s), tlsx.ServerName("localhost"))
		for _, v := range versions {
			_, _, _, err := handshake(t, serving, withVersion(cfg, v))
			assert.Equal(t, reasonOf(err), want)
		}
	}
}

// Looking a chain up allocates nothing.
func TestCRLAllocations(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client := ca.Issue(t, certtest.Client)
	list := crl{number: 1, revoked: []*x509.Certificate{ca.Issue(t, certtest.Client).Cert}}
	s := withMaterial(t, ca.Issue(t, certtest.Server), func(m *tlsx.Material) {
		m.CRLs = [][]byte{list.by(t, ca)}
		m.Allow = []tlsx.Matcher{tlsx.AllowDNS("client.test")}
	}, ca)
	verify := s.ServerConfig().VerifyConnection
	state := tls.ConnectionState{PeerCertificates: client.Chain, VerifiedChains: [][]*x509.Certificate{append(client.Chain[:1:1], ca.Cert)}}
	if got := testing.AllocsPerRun(100, func() { _ = verify(state) }); got > 1 {
		t.Errorf("%.0f allocations in VerifyConnection, want at most 1", got)
	}
}

package tlsx_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// responder is a template of certificates that sign OCSP responses.
var responder = certtest.Template{CommonName: "responder", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}

// answer is an OCSP response to be made, good and current unless edited. By
// default the issuer signs it.
type answer struct {
	edit func(*ocsp.Response)
	by   *certtest.Leaf // a delegated responder
	key  crypto.Signer  // signs in place of the issuer or responder
}

func (a answer) about(t testing.TB, leaf *x509.Certificate, ca *certtest.CA) []byte {
	t.Helper()
	now := time.Now()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	signer, key := ca.Cert, ca.Key
	if a.by != nil {
		signer, key = a.by.Cert, a.by.Key
		r.Certificate = signer
	}
	if a.key != nil {
		key = a.key
	}
	if a.edit != nil {
		a.edit(&r)
	}
	der, err := ocsp.CreateResponse(ca.Cert, signer, r, key)
	assert.NoError(t, err)
	return der
}

func revokedAnswer(r *ocsp.Response) {
	r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, time.Now().Add(-time.Hour), ocsp.Superseded
}

func TestVerifyOCSP(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "root")
	mid := ca.Intermediate(t, "mid")
	client, sibling, below := ca.Issue(t, certtest.Client), ca.Issue(t, certtest.Client), mid.Issue(t, certtest.Client)
	delegate := ca.Issue(t, responder)
	with := func(edit func(*x509.Certificate)) *certtest.Leaf {
		tpl := responder
		tpl.Edit = edit
		return ca.Issue(t, tpl)
	}
	anyUsage := responder
	anyUsage.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	edit := func(f func(*ocsp.Response)) answer { return answer{edit: f} }
	damaged := answer{}.about(t, client.Cert, ca)
	damaged[len(damaged)-1] ^= 1

	for _, tc := range []struct {
		name string
		raw  []byte
		want string // the status, or part of the error
	}{
		{"good", answer{}.about(t, client.Cert, ca), "good"},
		{"revoked", edit(revokedAnswer).about(t, client.Cert, ca), "revoked"},
		{"unknown", edit(func(r *ocsp.Response) { r.Status = ocsp.Unknown }).about(t, client.Cert, ca), "unknown"},
		{"SHA-256 CertID", edit(func(r *ocsp.Response) { r.IssuerHash = crypto.SHA256 }).about(t, client.Cert, ca), "good"},
		{"delegated", answer{by: delegate}.about(t, client.Cert, ca), "good"},
		{"within the skew", edit(func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(-time.Minute) }).about(t, client.Cert, ca), "good"},

		{"no EKU", answer{by: with(func(c *x509.Certificate) { c.ExtKeyUsage = nil })}.about(t, client.Cert, ca), "lack OCSPSigning"},
		{"any EKU", answer{by: ca.Issue(t, anyUsage)}.about(t, client.Cert, ca), "lack OCSPSigning"},
		{"the client itself", answer{by: client}.about(t, client.Cert, ca), "lack OCSPSigning"},
		{"responder expired", answer{by: with(past)}.about(t, client.Cert, ca), "which is valid from"},
		{"responder may not sign", answer{by: with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })}.about(t, client.Cert, ca), "digitalSignature"},
		{"responder of another CA", answer{by: mid.Issue(t, responder)}.about(t, client.Cert, ca), "another CA issued"},
		{"responder of an impostor", answer{by: other.Issue(t, responder)}.about(t, client.Cert, ca), "did not sign"},
		{"responder with critical extension", answer{by: with(func(c *x509.Certificate) { c.ExtraExtensions = critical })}.about(t, client.Cert, ca), "critical extension 1.2.3"},
		{"delegate's name, other key", answer{by: delegate, key: client.Key}.about(t, client.Cert, ca), "does not verify"},
		{"delegate not enclosed", edit(func(r *ocsp.Response) { r.Certificate = nil }).signedBy(delegate).about(t, client.Cert, ca), "neither the issuer nor enclosed"},
		{"issuer's name, other key", answer{key: other.Key}.about(t, client.Cert, ca), "does not verify"},
		{"damaged", damaged, "does not verify"},
		{"other serial number", answer{}.about(t, sibling.Cert, ca), "not about this certificate"},
		{"same serial number, other issuer", answer{by: delegate}.aboutOf(t, client.Cert, mid, ca), "not about this certificate"},
		{"about another issuer", answer{}.about(t, below.Cert, mid), "neither the issuer nor enclosed"},
		{"stale", edit(func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}).about(t, client.Cert, ca), "is stale"},
		{"from the future", edit(func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		}).about(t, client.Cert, ca), "not valid before"},
		{"without nextUpdate", edit(func(r *ocsp.Response) { r.NextUpdate = time.Time{} }).about(t, client.Cert, ca), "has no nextUpdate"},
		{"backwards", edit(func(r *ocsp.Response) { r.NextUpdate = r.ThisUpdate.Add(-time.Minute) }).about(t, client.Cert, ca), "before its thisUpdate"},
		{"critical extension", edit(func(r *ocsp.Response) { r.ExtraExtensions = critical }).about(t, client.Cert, ca), "critical extension 1.2.3"},
		{"try later", ocsp.TryLaterErrorResponse, `"try later"`},
		{"unauthorized", ocsp.UnauthorizedErrorResponse, `"unauthorized"`},
		{"empty", nil, "not a valid OCSP response"},
		{"trailing", append(answer{}.about(t, client.Cert, ca), 0), "not a valid OCSP response"},
		{"too long", make([]byte, 65<<10), "is longer than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, err := tlsx.VerifyOCSP(tc.raw, client.Cert, ca.Cert, time.Now())
			if err == nil {
				assert.Equal(t, status, tc.want)
				return
			}
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// signedBy lets a delegate sign that the edit may remove from the response.
func (a answer) signedBy(l *certtest.Leaf) answer {
	a.by = l
	return a
}

// aboutOf names another issuer than the one that signs.
func (a answer) aboutOf(t testing.TB, leaf *x509.Certificate, named, signer *certtest.CA) []byte {
	t.Helper()
	return a.about(t, leaf, &certtest.CA{Cert: named.Cert, Key: signer.Key})
}

// Every kind of key signs, Ed25519 included, which golang.org/x/crypto/ocsp
// cannot.
func TestVerifyOCSPKeys(t *testing.T) {
	for name, kt := range map[string]certtest.KeyType{"RSA": certtest.RSA, "ECDSA": certtest.ECDSA} {
		ca := certtest.NewCA(t, "root")
		tpl := responder
		tpl.KeyType = kt
		leaf := ca.Issue(t, certtest.Client)
		delegate := ca.Issue(t, tpl)
		delegate.Key = bareSigner{delegate.Key}
		status, err := tlsx.VerifyOCSP(answer{by: delegate}.about(t, leaf.Cert, ca), leaf.Cert, ca.Cert, time.Now())
		assert.NoError(t, err, name)
		assert.Equal(t, status, "good")
	}
	ca := certtest.NewCA(t, "root")
	tpl := responder
	tpl.KeyType = certtest.RSA
	leaf := ca.Issue(t, certtest.Client)
	weak := answer{by: ca.Issue(t, tpl), edit: func(r *ocsp.Response) { r.SignatureAlgorithm = x509.SHA1WithRSA }}
	_, err := tlsx.VerifyOCSP(weak.about(t, leaf.Cert, ca), leaf.Cert, ca.Cert, time.Now())
	assert.ErrorContains(t, err, "which is not supported")
}

// A client staples to its own certificate, which TLS 1.3 carries.
func TestClientStapledOCSP(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client, server := ca.Issue(t, certtest.Client), ca.Issue(t, certtest.Server)
	good := answer{by: ca.Issue(t, responder)}.about(t, client.Cert, ca)
	revoked := answer{edit: revokedAnswer}.about(t, client.Cert, ca)
	unknown := answer{edit: func(r *ocsp.Response) { r.Status = ocsp.Unknown }}.about(t, client.Cert, ca)
	wrongEKU := answer{by: ca.Issue(t, certtest.Client)}.about(t, client.Cert, ca)
	const undecided = tlsx.PeerRevocationUnknown
	for _, tc := range []struct {
		name               string
		staple             []byte
		off, given, needed tlsx.PeerReason
	}{
		{"none", nil, "", "", undecided},
		{"good", good, "", "", ""},
		{"revoked", revoked, "", tlsx.PeerRevoked, tlsx.PeerRevoked},
		{"unknown", unknown, "", undecided, undecided},
		{"wrong EKU", wrongEKU, "", undecided, undecided},
		{"garbage", []byte("garbage"), "", undecided, undecided},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cert := client.TLS()
			cert.OCSPStaple = tc.staple
			for policy, want := range map[tlsx.OCSP]tlsx.PeerReason{tlsx.OCSPOff: tc.off, tlsx.OCSPVerifyIfGiven: tc.given, tlsx.OCSPRequire: tc.needed} {
				hard := withMaterial(t, server, func(m *tlsx.Material) { m.OCSP = policy }, ca)
				_, _, err, _ := handshake(t, hard.ServerConfig(), withVersion(plainClient(ca, cert), tls.VersionTLS13))
				assert.Equal(t, reasonOf(err), want, policy.String())
				if policy == tlsx.OCSPOff {
					continue
				}
				soft := withMaterial(t, server, func(m *tlsx.Material) { m.OCSP, m.Revocation = policy, tlsx.RevocationSoft }, ca)
				_, _, err, _ = handshake(t, soft.ServerConfig(), withVersion(plainClient(ca, cert), tls.VersionTLS13))
				counted := uint64(0)
				if want == undecided {
					want, counted = "", 1
				}
				assert.Equal(t, reasonOf(err), want, policy.String()+", soft")
				assert.Equal(t, soft.RevocationUnknown(), counted)
				// TLS 1.2 clients cannot staple.
				_, _, err, _ = handshake(t, hard.ServerConfig(), withVersion(plainClient(ca, cert), tls.VersionTLS12))
				assert.Equal(t, reasonOf(err) != "", policy == tlsx.OCSPRequire)
			}
		})
	}
}

// A response and CRLs together: revoked by either refuses; good by the response
// stands in for the leaf's CRL, and for no other.
func TestOCSPBesideCRL(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	mid := ca.Intermediate(t, "mid")
	client, server := mid.Issue(t, certtest.Client), ca.Issue(t, certtest.Server)
	delegate := mid.Issue(t, responder)
	good := answer{by: delegate}.about(t, client.Cert, mid)
	rootCRL := crl{number: 1}.by(t, ca)
	midCRL := func(revoked ...*x509.Certificate) []byte {
		return append(crlPEM(crl{number: 1, revoked: revoked}.by(t, mid)), mid.PEM()...)
	}
	for _, tc := range []struct {
		name   string
		crls   [][]byte
		staple []byte
		want   tlsx.PeerReason
	}{
		{"no response", [][]byte{rootCRL}, nil, tlsx.PeerRevocationUnknown},
		{"stands in for the leaf's CRL", [][]byte{rootCRL}, good, ""},
		{"not for the intermediate's", [][]byte{midCRL()}, good, tlsx.PeerRevocationUnknown},
		{"revoked by CRL", [][]byte{rootCRL, midCRL(client.Cert)}, good, tlsx.PeerRevoked},
		{"revoked by the response", [][]byte{rootCRL, midCRL()}, answer{edit: revokedAnswer}.about(t, client.Cert, mid), tlsx.PeerRevoked},
		{"responder revoked", [][]byte{rootCRL, midCRL(delegate.Cert)}, good, tlsx.PeerRevocationUnknown},
	} {
		s := withMaterial(t, server, func(m *tlsx.Material) { m.CRLs, m.OCSP = tc.crls, tlsx.OCSPVerifyIfGiven }, ca)
		state := peerState(client)
		state.OCSPResponse = tc.staple
		_, err := s.Recheck(state, time.Now())
		assert.Equal(t, reasonOf(err), tc.want, tc.name)
	}
}

// A resumed session carries the response of the first handshake. Once that is
// stale, the session is not resumed, and the client gets to staple a new one.
func TestOCSPResumption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := certtest.NewCA(t, "root")
		client, server := ca.Issue(t, certtest.Client), ca.Issue(t, certtest.Server)
		s := withMaterial(t, server, func(m *tlsx.Material) { m.OCSP = tlsx.OCSPRequire }, ca)
		cert := client.TLS()
		staple := func() {
			cert.OCSPStaple = answer{}.about(t, client.Cert, ca) // for an hour
		}
		cfg := plainClient(ca)
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		dial := func() tls.ConnectionState {
			t.Helper()
			ss, serverErr, clientErr := bufferedHandshake(t, s.ServerConfig(), cfg)
			assert.NoError(t, serverErr)
			assert.NoError(t, clientErr)
			return ss
		}
		staple()
		until := time.Now().Add(time.Hour + 5*time.Minute)
		assert.True(t, !dial().DidResume)
		again := dial()
		assert.True(t, again.DidResume, "the response is fresh")
		id, ok := s.PeerIdentity(again)
		assert.True(t, ok)
		assert.Equal(t, id.ValidUntil().Unix(), until.Unix())
		time.Sleep(time.Until(until))
		assert.True(t, dial().DidResume)
		time.Sleep(time.Second)
		_, err := s.Recheck(again, time.Now())
		assert.Equal(t, reasonOf(err), tlsx.PeerRevocationUnknown, "an open connection")
		staple()
		assert.True(t, !dial().DidResume, "the response in the session is stale")
		assert.True(t, dial().DidResume)
	})
}

// bufferedHandshake is handshake without a network, for use in a bubble.
func bufferedHandshake(t testing.TB, server, client *tls.Config) (ss tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	lis := bufconn.Listen(256 << 10)
	defer func() { _ = lis.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := lis.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer func() { _ = raw.Close() }()
		conn := tls.Server(raw, server)
		if serverErr = conn.Handshake(); serverErr == nil {
			ss = conn.ConnectionState()
			_, serverErr = conn.Write([]byte{1})
		}
	}()
	raw, err := lis.Dial()
	assert.NoError(t, err)
	conn := tls.Client(raw, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1)) // the tickets come before it
	}
	_ = raw.Close()
	<-done
	return ss, serverErr, clientErr
}

func FuzzVerifyOCSP(f *testing.F) {
	ca := fixedCA(f, "root", 1)
	client := fixedLeaf(f, ca, certtest.Client, 2)
	delegate := fixedLeaf(f, ca, responder, 3)
	f.Add(answer{}.about(f, client.Cert, ca))
	f.Add(answer{by: delegate}.about(f, client.Cert, ca))
	f.Add(answer{by: client}.about(f, client.Cert, ca))
	f.Add(answer{edit: revokedAnswer}.about(f, client.Cert, ca))
	f.Add(answer{by: delegate, edit: func(r *ocsp.Response) { r.IssuerHash, r.NextUpdate = crypto.SHA512, time.Time{} }}.about(f, client.Cert, ca))
	f.Add(ocsp.TryLaterErrorResponse)
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := tlsx.VerifyOCSP(raw, client.Cert, ca.Cert, time.Now())
		if err != nil {
			return
		}
		// Whatever is accepted, the library accepts too, and reads the same.
		want, err := ocsp.ParseResponseForCert(raw, client.Cert, ca.Cert)
		assert.NoError(t, err)
		assert.Equal(t, got, map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown"}[want.Status])
		assert.True(t, want.SerialNumber.Cmp(client.Cert.SerialNumber) == 0 && want.SerialNumber.Cmp(new(big.Int)) > 0)
	})
}

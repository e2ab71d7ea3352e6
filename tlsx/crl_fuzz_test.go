package tlsx_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// Whatever the content of a CRL file is, it is refused or it is a CRL that the
// CA signed: a certificate that the genuine CRL revokes is never good.
func FuzzParseCRLs(f *testing.F) {
	ca := fixedCA(f, "root", 1)
	mid := ca.Intermediate(f, "mid")
	revoked := fixedLeaf(f, ca, certtest.Client, 2).Cert
	revokes := []*x509.Certificate{revoked}
	genuine := crl{number: 3, revoked: revokes}.by(f, ca)
	f.Add(genuine)
	f.Add(crlPEM(genuine, crl{number: 1, revoked: revokes, point: &point{OnlyUsers: true}}.by(f, ca)))
	f.Add(crlPEM(genuine, crl{number: 4, base: 3, revoked: revokes}.by(f, ca)))
	f.Add(append(crlPEM(crl{number: 1}.by(f, mid)), mid.PEM()...))
	f.Add(crl{number: 3, revoked: revokes, point: &point{Name: uriPoint("http://crl.test/")}}.by(f, ca))
	f.Add(crlPEM(genuine)[:80])
	cas := []*x509.Certificate{ca.Cert}
	now := time.Now()
	previous, err := tlsx.ParseCRLs([][]byte{crl{number: 2}.by(f, ca)}, cas, nil, now)
	assert.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := tlsx.ParseCRLs([][]byte{data}, cas, previous, now)
		assert.Equal(t, set == nil, err != nil)
		if err != nil {
			assert.ErrorContains(t, err, "tlsx: CRL: ")
			return
		}
		if state := set.State(revoked, ca.Cert, now); state == "good" {
			t.Errorf("a revoked certificate is %s", state)
		}
	})
}

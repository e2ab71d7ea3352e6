package tlsx_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// memory is a source whose owner swaps snapshots.
type memory struct{ now atomic.Pointer[tlsx.Snapshot] }

func (m *memory) Current() *tlsx.Snapshot  { return m.now.Load() }
func (m *memory) Changed() <-chan struct{} { return nil }

// A successor keeps the trust, and the tickets, where it judges peers the same.
func TestNext(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	material := func(cas ...*certtest.CA) tlsx.Material {
		m := tlsx.Material{Certificate: ca.Issue(t, certtest.Server).TLS()}
		for _, c := range cas {
			m.ClientCAs = append(m.ClientCAs, c.Cert)
		}
		return m
	}
	first, err := tlsx.NewSnapshot(material(ca))
	assert.NoError(t, err)
	renewed, err := first.Next(material(ca))
	assert.NoError(t, err)
	grown, err := renewed.Next(material(ca, other))
	assert.NoError(t, err)
	for i, s := range []*tlsx.Snapshot{first, renewed, grown} {
		assert.Equal(t, s.Generation(), uint64(i+1))
	}
	assert.Equal(t, []uint64{first.TrustGeneration(), renewed.TrustGeneration(), grown.TrustGeneration()}, []uint64{1, 1, 3})
	_, err = grown.Next(tlsx.Material{})
	assert.ErrorContains(t, err, "Certificate.Certificate")
	fresh, err := new(tlsx.Snapshot).Next(material(ca))
	assert.NoError(t, err)
	assert.Equal(t, fresh.Generation(), uint64(1))

	source := new(memory)
	source.now.Store(first)
	client := tlsx.ClientConfig(tlsx.Static(clientSnapshot(t, ca.Issue(t, certtest.Client), ca)), tlsx.ServerName("localhost"))
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for _, step := range []struct {
		snapshot *tlsx.Snapshot
		resumes  bool
	}{{first, false}, {first, true}, {renewed, true}, {grown, false}, {grown, true}} {
		source.now.Store(step.snapshot)
		state, _, err, clientErr := handshake(t, tlsx.ServerConfig(source), client)
		assert.NoError(t, err)
		assert.NoError(t, clientErr)
		assert.Equal(t, state.DidResume, step.resumes)
	}
}

// tokenSigner is a key store's key: it can sign and name its public half.
type tokenSigner struct {
	key  crypto.Signer
	fail error
}

func (s tokenSigner) Public() crypto.PublicKey { return s.key.Public() }

func (s tokenSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	return s.key.Sign(rand, digest, opts)
}

func TestObserveSign(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	client := clientSnapshot(t, ca.Issue(t, certtest.Client), ca)
	broken := errors.New("the token is gone")
	for _, keyType := range []certtest.KeyType{certtest.ECDSA, certtest.RSA, certtest.Ed25519} {
		for name, fail := range map[string]error{"signs": nil, "fails": broken} {
			leaf := ca.Issue(t, certtest.Template{KeyType: keyType})
			cert := leaf.TLS()
			cert.PrivateKey = tokenSigner{leaf.Key, fail}
			var signed atomic.Int32
			snapshot, err := tlsx.NewSnapshot(tlsx.Material{
				Certificate: cert, ClientCAs: []*x509.Certificate{ca.Cert},
				ObserveSign: func(took time.Duration, err error) {
					signed.Add(1)
					assert.True(t, took > 0)
					assert.True(t, errors.Is(err, fail))
				},
			})
			assert.NoError(t, err)
			_, _, serverErr, _ := handshake(t, snapshot.ServerConfig(), tlsx.ClientConfig(tlsx.Static(client), tlsx.ServerName("localhost")))
			assert.Equal(t, serverErr == nil, fail == nil, name)
			assert.Equal(t, signed.Load(), int32(1), name)
		}
	}
}

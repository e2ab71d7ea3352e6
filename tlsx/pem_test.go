package tlsx_test

import (
	"bytes"
	"encoding/pem"
	"testing"

	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// FuzzDecodePEM: what is accepted holds exactly the blocks that encoding/pem
// finds, so no block is skipped.
func FuzzDecodePEM(f *testing.F) {
	ca := certtest.NewCA(f, "root")
	leaf := ca.Issue(f, certtest.Template{})
	one := ca.PEM()
	for _, seed := range [][]byte{
		nil, one, append(one, leaf.CertPEM()...), leaf.KeyPEM(f), one[:len(one)/2],
		append([]byte("\xef\xbb\xbf# note\n"), one...),
		bytes.ReplaceAll(one, []byte("\n"), []byte("\r\n")),
		bytes.TrimSpace(append(bytes.TrimSpace(one), one...)),
		[]byte("-----BEGIN X-----\n-----END X-----\n"),
		[]byte("-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END X-----\n"),
		[]byte("-----BEGIN X-----\nAAAA\n-----END Y-----\n"),
		[]byte("-----BEGIN -----\n-----END -----\n-----END"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := tlsx.DecodePEM(data)
		if err != nil {
			return
		}
		var want [][]byte
		for rest := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")); ; {
			var b *pem.Block
			if b, rest = pem.Decode(rest); b == nil {
				break
			}
			want = append(want, b.Bytes)
		}
		if len(got) != len(want) {
			t.Fatalf("got %d blocks, encoding/pem finds %d", len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("block %d differs from that of encoding/pem", i+1)
			}
		}
	})
}

// FuzzLoadPEM: no input panics, gives a result beside an error, or an empty one
// without.
func FuzzLoadPEM(f *testing.F) {
	ca := certtest.NewCA(f, "root")
	for _, k := range []certtest.KeyType{certtest.ECDSA, certtest.Ed25519} {
		leaf := ca.Issue(f, certtest.Template{KeyType: k})
		f.Add(leaf.CertPEM())
		f.Add(leaf.KeyPEM(f))
		f.Add(append(leaf.KeyPEM(f), leaf.CertPEM()...))
	}
	f.Add(ca.PEM())
	f.Fuzz(func(t *testing.T, data []byte) {
		if chain, err := tlsx.ParseChain(data); (err == nil) != (len(chain) > 0) {
			t.Fatalf("chain of %d, error %v", len(chain), err)
		}
		cas, err := tlsx.ParseBundle(data)
		if (err == nil) != (len(cas) > 0) {
			t.Fatalf("bundle of %d, error %v", len(cas), err)
		}
		for _, c := range cas {
			if !c.IsCA {
				t.Fatal("a bundle holds a certificate that is no CA")
			}
		}
		if key, err := tlsx.ParseKey(data); (err == nil) != (key != nil) {
			t.Fatalf("key %T, error %v", key, err)
		}
	})
}

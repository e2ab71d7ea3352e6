package certscmd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A keyAlgorithm is the kind and size of a key, such as "ecdsa-p256".
type keyAlgorithm string

const defaultKey keyAlgorithm = "ecdsa-p256"

// keyAlgorithms are those that TLS 1.3 and package tlsx accept.
var keyAlgorithms = []string{"ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096"}

func parseKeyAlgorithm(s string) (keyAlgorithm, error) {
	if s == "" {
		return defaultKey, nil
	}
	if !slices.Contains(keyAlgorithms, s) {
		return "", fmt.Errorf("key %q is unknown; use one of %s", clean(s), strings.Join(keyAlgorithms, ", "))
	}
	return keyAlgorithm(s), nil
}

func (k keyAlgorithm) generate() (crypto.Signer, error) {
	var key crypto.Signer
	var err error
	switch k {
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ecdsa-p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	default:
		return nil, fmt.Errorf("key %q is unknown", string(k))
	}
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// algorithmOf names the algorithm of a public key, also one that is not in
// keyAlgorithms.
func algorithmOf(public crypto.PublicKey) keyAlgorithm {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return keyAlgorithm("ecdsa-" + strings.ToLower(strings.ReplaceAll(k.Curve.Params().Name, "-", "")))
	case ed25519.PublicKey:
		return "ed25519"
	case *rsa.PublicKey:
		return keyAlgorithm(fmt.Sprintf("rsa-%d", k.N.BitLen()))
	}
	return "unknown"
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errors.New("a private key cannot be encoded")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// decodeKey reads the first private key of a PEM file. No error repeats any of
// the data or wraps the parser's own.
func decodeKey(data []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("holds no unencrypted PRIVATE KEY block; name a PEM file with one")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, errors.New(`cannot be parsed as a private key; write it with "openssl pkey" as unencrypted PKCS #8`)
		}
		return signer, nil
	}
}

// keyID is the subject key identifier of RFC 7093, section 2, method 1, which
// crypto/x509 gives to authorities only.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, errors.New("a public key cannot be encoded")
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, errors.New("a public key cannot be decoded")
	}
	sum := sha256.Sum256(info.Key.Bytes)
	return sum[:20], nil
}

// samePublic reports whether the certificate is for the key.
func samePublic(cert *x509.Certificate, public crypto.PublicKey) bool {
	k, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(public)
}

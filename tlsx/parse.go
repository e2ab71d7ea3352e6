package tlsx

import (
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
)

// parseChain reads the certificates of a served chain, leaf first. A private
// key and parameters may stand in the same file.
func parseChain(data []byte) ([]*x509.Certificate, error) {
	blocks, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, b := range blocks {
		if isPrivateKey(b) || b.Type == "EC PARAMETERS" || b.Type == "DH PARAMETERS" {
			continue
		}
		cert, err := parseCertificate(b)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		if slices.ContainsFunc(blocks, isPrivateKey) {
			return nil, errors.New("the file holds a private key and no certificate; Cert and Key look swapped")
		}
		return nil, errNoCertificate
	}
	return certs, nil
}

var errNoCertificate = errors.New("the file holds no CERTIFICATE block; name a PEM file with one")

// parseBundle reads a bundle of CA certificates. Nothing else may stand in it:
// what is ignored silently would be taken for configured.
func parseBundle(data []byte) ([]*x509.Certificate, error) {
	blocks, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, b := range blocks {
		if isPrivateKey(b) {
			return nil, b.errorf("is a private key; a CA bundle holds certificates only, move the key elsewhere")
		}
		cert, err := parseCertificate(b)
		if err != nil {
			return nil, err
		}
		if err := checkCA(cert); err != nil {
			return nil, b.errorf("%w", err)
		}
		if !slices.ContainsFunc(certs, cert.Equal) {
			certs = append(certs, cert)
		}
	}
	if len(certs) == 0 {
		return nil, errNoCertificate
	}
	return certs, nil
}

func parseCertificate(b pemBlock) (*x509.Certificate, error) {
	switch b.Type {
	case "CERTIFICATE":
	case "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
		return nil, b.errorf(`is a %s; convert it with "openssl x509"`, b.Type)
	default:
		return nil, b.errorf("is %s, not CERTIFICATE; remove it", labelOf(b))
	}
	cert, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return nil, b.errorf("is not a valid certificate (%w); replace or remove it", err)
	}
	return cert, nil
}

const keyRemedy = `write it with "openssl pkey" as an unencrypted PKCS #8, PKCS #1 or SEC 1 key`

// parseKey reads the one private key of a file. Certificates and parameters
// may stand in the same file. No error wraps the parser's own or repeats any of
// the data.
func parseKey(data []byte) (crypto.Signer, error) {
	blocks, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	var found []pemBlock
	for _, b := range blocks {
		switch {
		case isPrivateKey(b):
			found = append(found, b)
		case b.Type == "CERTIFICATE", b.Type == "EC PARAMETERS", b.Type == "DH PARAMETERS":
		default:
			return nil, b.errorf("is %s, not a private key; remove it", labelOf(b))
		}
	}
	switch {
	case len(found) == 1:
		return parseKeyBlock(found[0])
	case len(found) > 1:
		return nil, found[1].errorf("is a second private key; keep only the one of the certificate")
	case slices.ContainsFunc(blocks, func(b pemBlock) bool { return b.Type == "CERTIFICATE" }):
		return nil, errors.New("the file holds a certificate and no private key; Cert and Key look swapped")
	}
	return nil, errors.New("the file holds no PRIVATE KEY block; name a PEM file with one")
}

func parseKeyBlock(b pemBlock) (crypto.Signer, error) {
	if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, b.errorf(`is encrypted; decrypt it with "openssl pkey -in encrypted.key -out tls.key" and protect the file by its permissions, or hand a crypto.Signer to NewSnapshot`)
	}
	var key any
	var err error
	switch b.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	default:
		return nil, b.errorf("is %s, which TLS cannot use; %s", labelOf(b), keyRemedy)
	}
	if err != nil {
		return nil, b.errorf("cannot be parsed as a private key; %s", keyRemedy)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, b.errorf("is not a signing key; use an RSA, ECDSA or Ed25519 key")
	}
	return signer, nil
}

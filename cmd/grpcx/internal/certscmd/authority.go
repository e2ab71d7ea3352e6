package certscmd

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

const (
	caCertFile = "ca.crt"
	caKeyFile  = "ca.key"
	indexFile  = "index.json"

	// backdate tolerates clocks that are behind this machine's.
	backdate = 5 * time.Minute
)

// An authority is an open and locked directory.
type authority struct {
	dir   string
	cert  *x509.Certificate
	key   crypto.Signer
	index *index
	close func()
}

// openAuthority locks the directory and reads it. What is wrong with it is the
// caller's to mend.
func openAuthority(ctx context.Context, dir string) (*authority, error) {
	if _, err := os.Stat(filepath.Join(dir, caCertFile)); err != nil {
		return nil, usagef(`--ca %q holds no %s: %w; make one with "grpcx certs init-ca"`, dir, caCertFile, cause(err))
	}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	a := &authority{dir: dir, close: unlock}
	if err := a.read(time.Now()); err != nil {
		unlock()
		return nil, err
	}
	return a, nil
}

func (a *authority) read(now time.Time) error {
	var data [3][]byte
	for i, name := range []string{caCertFile, caKeyFile, indexFile} {
		var err error
		if data[i], err = readInput(filepath.Join(a.dir, name), maxIndex); err != nil {
			return usagef("%q: %w", filepath.Join(a.dir, name), err)
		}
	}
	fail := func(name string, err error) error { return usagef("%q: %w", filepath.Join(a.dir, name), err) }
	certs, err := decodeCerts(data[0])
	if err != nil {
		return fail(caCertFile, err)
	}
	a.cert = certs[0]
	switch {
	case len(certs) > 1:
		return fail(caCertFile, errors.New("holds more than one certificate; leave only the authority's own"))
	case !a.cert.IsCA || a.cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return fail(caCertFile, errors.New(`is no certificate of an authority; make one with "grpcx certs init-ca"`))
	case now.After(a.cert.NotAfter):
		return fail(caCertFile, fmt.Errorf(`expired at %s; make a new authority with "grpcx certs init-ca"`, stamp(a.cert.NotAfter)))
	case now.Before(a.cert.NotBefore):
		return fail(caCertFile, fmt.Errorf("is not valid before %s; check the clock of this machine", stamp(a.cert.NotBefore)))
	}
	if err := checkPrivate(filepath.Join(a.dir, caKeyFile)); err != nil {
		return fail(caKeyFile, err)
	}
	if a.key, err = decodeKey(data[1]); err != nil {
		return fail(caKeyFile, err)
	}
	if !samePublic(a.cert, a.key.Public()) {
		return fail(caKeyFile, fmt.Errorf("is not the key of %s; restore the pair that was made together", caCertFile))
	}
	if a.index, err = parseIndex(data[2]); err != nil {
		return fail(indexFile, err)
	}
	return nil
}

// checkPrivate refuses a key that everybody on the machine can read.
func checkPrivate(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return explain(err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("has mode %04o, so every user can read the key; run chmod 0600 on it", info.Mode().Perm())
	}
	return nil
}

// save writes the index.
func (a *authority) save() error {
	a.index.prune(time.Now())
	data, err := a.index.encode()
	if len(data) > maxIndex {
		return failf("%q would be larger than %d bytes, with %d certificates that have not expired; make another authority", filepath.Join(a.dir, indexFile), maxIndex, len(a.index.Certificates))
	}
	if err == nil {
		err = replaceFile(filepath.Join(a.dir, indexFile), data, 0o600)
	}
	if err != nil {
		return failf("write %q: %w", filepath.Join(a.dir, indexFile), explain(err))
	}
	return nil
}

// An issued certificate is not in the index yet.
type issued struct {
	request request
	cert    *x509.Certificate
	key     crypto.Signer
	at      time.Time
}

// sign makes a key and a certificate and checks that package tlsx takes it.
func (a *authority) sign(r request, now time.Time) (*issued, error) {
	now = now.Truncate(time.Second) // as the certificate's times
	if end := now.Add(r.lifetime); end.After(a.cert.NotAfter) {
		return nil, usagef("certificate %s would end after its authority (%s); use a shorter --lifetime, or make a new authority",
			clean(r.name), stamp(a.cert.NotAfter))
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	key, err := r.key.generate()
	if err != nil {
		return nil, failf("%w", err)
	}
	id, err := keyID(key.Public())
	if err != nil {
		return nil, failf("certificate %s: %w", clean(r.name), err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: r.subject, RawSubject: r.rawSubject, SubjectKeyId: id,
		NotBefore: now.Add(-backdate), NotAfter: now.Add(r.lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: r.extKeyUsage(), BasicConstraintsValid: true,
		DNSNames: r.dns, IPAddresses: r.ips, URIs: r.uris,
	}
	if _, isRSA := key.(*rsa.PrivateKey); isRSA && r.keyEncipherment {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, failf("sign certificate %s: %w", clean(r.name), err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, failf("sign certificate %s: %w", clean(r.name), err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: r.extKeyUsage()}); err != nil {
		return nil, usagef("certificate %s would not be valid: %s; ask for names that the authority permits", clean(r.name), clean(err.Error()))
	}
	_, err = tlsx.NewSnapshot(tlsx.Material{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		ClientCAs:   []*x509.Certificate{a.cert}, Usage: r.usage,
	})
	if err != nil {
		return nil, failf("certificate %s would be refused: %w", clean(r.name), err)
	}
	return &issued{request: r, cert: cert, key: key, at: now}, nil
}

// record puts certificates into the index before anybody has them.
func (a *authority) record(certs ...*issued) error {
	for _, c := range certs {
		a.index.add(newRecord(c.cert, c.request.name, c.at))
	}
	return a.save()
}

// set is what is written for a certificate.
func (a *authority) set(c *issued) (set, error) {
	key, err := encodeKey(c.key)
	if err != nil {
		return set{}, failf("certificate %s: %w", clean(c.request.name), err)
	}
	return set{cert: encodeCert(c.cert), key: key, ca: encodeCert(a.cert)}, nil
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, failf("make a serial number: %w", err)
	}
	return n.SetBit(n, 126, 1), nil // positive, and of full length
}

// decodeCerts reads PEM certificates, or one in DER. Keys in between are left
// alone.
func decodeCerts(data []byte) ([]*x509.Certificate, error) {
	if len(data) > 1 && data[0] == 0x30 && data[1] >= 0x80 {
		cert, err := x509.ParseCertificate(data)
		if err != nil {
			return nil, errors.New("is not a certificate in DER; convert it with openssl x509")
		}
		return []*x509.Certificate{cert}, nil
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("CERTIFICATE block %d is not valid (%s); replace it", len(certs)+1, clean(err.Error()))
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no CERTIFICATE block; name a PEM file with one")
	}
	return certs, nil
}

package tlsx

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Files names the PEM files of an identity and its trust. One file may hold
// both the certificate and the key; name it twice.
type Files struct {
	// Cert holds the certificate, leaf first, then its intermediates.
	Cert string `json:"cert,omitempty"`
	// Key holds the leaf's private key, unencrypted: RSA of at least 2048 bits,
	// ECDSA on P-256, P-384 or P-521, or Ed25519.
	Key string `json:"key,omitempty"`
	// ClientCA holds the CA certificates that verify the peer: a client's
	// certificate or, with Usage ForClient, a server's. Required unless
	// ClientAuth is NoClientCert, and then refused.
	ClientCA string `json:"client_ca,omitempty"`
	// ClientAuth is what a server asks of clients; zero requires a certificate.
	ClientAuth ClientAuth `json:"client_auth,omitempty"`
	// Usage is the side the certificate is for; zero is a server's.
	Usage Usage `json:"usage,omitempty"`
}

// The roles of a [FileError].
const (
	roleCert     = "certificate"
	roleKey      = "private key"
	roleClientCA = "client CA"
)

// A FileError is one problem with one of the [Files]. Its text names the file,
// what is wrong and the remedy; it never holds any of a key.
type FileError struct {
	// Role is "certificate", "private key" or "client CA".
	Role string
	// Path is the file as given, empty when none was.
	Path string
	// Err is what is wrong. It wraps an [io/fs] error where there is one.
	Err error
}

// Error returns the text.
func (e *FileError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("tlsx: %s: %v", e.Role, e.Err)
	}
	return fmt.Sprintf("tlsx: %s %s: %v", e.Role, strconv.Quote(e.Path), e.Err)
}

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

// Load reads the files, each once, and returns them as a snapshot of
// generation 1. Nothing watches the files afterwards. A file must be a regular
// one of at most 1 MiB.
//
// The error joins all problems found, each a *[FileError].
func Load(files Files) (*Snapshot, error) {
	l := loader{read: map[string]content{}}
	now := time.Now()

	var chain []*x509.Certificate
	var key crypto.Signer
	var cas []*x509.Certificate
	if data, ok := l.file(roleCert, files.Cert, "set Files.Cert"); ok {
		var err error
		if chain, err = parseChain(data); err != nil {
			l.add(roleCert, files.Cert, err)
		}
	}
	if data, ok := l.file(roleKey, files.Key, "set Files.Key"); ok {
		var err error
		if key, err = parseKey(data); err != nil {
			l.add(roleKey, files.Key, err)
		}
	}
	problems := checkModes(files.Usage, files.ClientAuth, files.ClientCA != "", filesNames)
	if len(problems) == 0 && files.ClientCA != "" {
		if data, ok := l.file(roleClientCA, files.ClientCA, ""); ok {
			var err error
			if cas, err = parseBundle(data); err != nil {
				l.add(roleClientCA, files.ClientCA, err)
			}
		}
	}
	if chain != nil {
		problems = append(problems, checkChain(chain, files.Usage, now)...)
	}
	if chain != nil && key != nil {
		problems = append(problems, checkKey(chain, key)...)
	}
	if cas != nil {
		problems = append(problems, checkBundle(cas, now)...)
	}
	paths := map[string]string{roleCert: files.Cert, roleKey: files.Key, roleClientCA: files.ClientCA}
	for _, p := range problems {
		l.add(p.role, paths[p.role], p.err)
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	cert := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return newSnapshot(parts{
		cert: cert, chain: chain, cas: cas,
		clientAuth: files.ClientAuth, usage: files.Usage, generation: 1,
	}), nil
}

// loader reads each path once and collects the problems.
type loader struct {
	read map[string]content
	errs []error
}

type content struct {
	data []byte
	err  error
}

func (l *loader) add(role, path string, err error) {
	l.errs = append(l.errs, &FileError{Role: role, Path: path, Err: err})
}

func (l *loader) file(role, path, remedy string) ([]byte, bool) {
	if path == "" {
		l.add(role, path, errors.New("no file is named; "+remedy))
		return nil, false
	}
	c, ok := l.read[path]
	if !ok {
		c.data, c.err = readFile(path)
		l.read[path] = c
	}
	if c.err != nil {
		l.add(role, path, c.err)
		return nil, false
	}
	return c.data, true
}

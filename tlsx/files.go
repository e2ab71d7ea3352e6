package tlsx

import (
	"fmt"
	"reflect"
	"slices"
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

	// CRL names the certificate revocation lists of the CAs (RFC 5280): files
	// in PEM or DER of at most 8 MiB, or directories in which every file is
	// one; names with a leading dot are left out. Every certificate of a peer's
	// chain but the anchor needs one. A PEM file may also hold the certificates
	// of intermediates that sign CRLs; they must lead to ClientCA. Empty checks
	// no CRL.
	CRL []string `json:"crl,omitempty"`
	// Revocation is what happens to a peer of unknown status; zero refuses it.
	Revocation Revocation `json:"revocation,omitempty"`
	// OCSP is what is made of the OCSP response that a peer staples; zero
	// ignores it.
	OCSP OCSP `json:"ocsp,omitempty"`
	// Allow lists the clients that may connect: one that matches any of it.
	// Empty admits every verified client. It needs RequireClientCert.
	Allow []Matcher `json:"allow,omitempty"`
}

// IsZero reports whether nothing is set.
func (f Files) IsZero() bool { return reflect.ValueOf(f).IsZero() }

// The roles of a [FileError].
const (
	roleCert     = "certificate"
	roleKey      = "private key"
	roleClientCA = "client CA"
	roleCRL      = "CRL"
	roleOCSP     = "OCSP"
	roleAllow    = "allow list"
)

// A FileError is one problem with one of the [Files]. Its text names the file,
// what is wrong and the remedy; it never holds any of a key.
type FileError struct {
	// Role is "certificate", "private key", "client CA", "CRL", "OCSP" or
	// "allow list".
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
// generation 1. Nothing watches the files afterwards; a [Reloader] does. A file
// must be a regular one of at most 1 MiB, a CRL 8 MiB.
//
// The error joins all problems found, each a *[FileError].
func Load(files Files) (*Snapshot, error) {
	l := loader{files: files, view: newView(nil), now: time.Now(), weigh: checkChain}
	p, err := l.load()
	if err != nil {
		return nil, err
	}
	return newSnapshot(p), nil
}

// inputs returns what is named: paths that must be files, and those that may be
// directories of files.
func (f Files) inputs() (files, either []string) {
	for _, path := range []string{f.Cert, f.Key, f.ClientCA} {
		if path != "" && !slices.Contains(files, path) {
			files = append(files, path)
		}
	}
	for _, path := range f.CRL {
		if path != "" && !slices.Contains(either, path) {
			either = append(either, path)
		}
	}
	return files, either
}

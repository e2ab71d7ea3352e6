package devcert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

const (
	caCert     = "ca.crt"
	serverCert = "server.crt"
	serverKey  = "server.key"
	clientCert = "client.crt"
	clientKey  = "client.key"
)

var fileNames = []string{caCert, serverCert, serverKey, clientCert, clientKey}

// header begins every file that this package writes. PEM readers skip it; here
// it tells which files may be replaced.
const header = "# Development only: made by devcert, replaced when it expires.\n"

// margin is how much of its life a set must have left to be used again.
const margin = time.Hour

// Dir is [New] with the set in a directory: ca.crt, server.crt, server.key,
// client.crt and client.key. Programs that name the same directory trust each
// other. The directory is created with mode 0700 if needed; keys have mode 0600.
//
// A set that is there is used again. It is replaced as a whole when a file is
// missing or damaged, when the server's certificate lacks one of the hosts,
// when it outlives the lifetime asked for, or when it expires within an hour
// (within half the lifetime, if that is less). Files that this package did not
// write are never overwritten: one under a name above is an error.
func Dir(path string, opts ...Option) (*Authority, error) {
	c, err := newConfig(opts)
	if path == "" {
		err = errors.Join(errors.New("devcert: Dir needs a path; use New for certificates in memory"), err)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("devcert: create the directory: %w; name one that this user may create", err)
	}
	// One process at a time, so that two that start together share a set.
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := checkOwn(path); err != nil {
		return nil, err
	}
	if a, err := load(path); err == nil && a.serves(c, time.Now()) {
		return a, nil
	}
	m, err := issue(c, time.Now())
	if err != nil {
		return nil, err
	}
	if err := write(path, m); err != nil {
		return nil, err
	}
	return load(path)
}

// load reads a set back and checks that it is one.
func load(dir string) (*Authority, error) {
	a := &Authority{dir: dir}
	var err error
	if a.server, err = tlsx.Load(a.ServerFiles()); err != nil {
		return nil, err
	}
	if a.client, err = tlsx.Load(a.ClientFiles()); err != nil {
		return nil, err
	}
	cas := a.server.ClientCAs()
	if len(cas) != 1 {
		return nil, fmt.Errorf("devcert: %s holds %d certificates, want one", caCert, len(cas))
	}
	a.ca = cas[0]
	for _, s := range []*tlsx.Snapshot{a.server, a.client} {
		if !s.Development() {
			return nil, fmt.Errorf("devcert: %v is no development certificate", s)
		}
		if err := s.Leaf().CheckSignatureFrom(a.ca); err != nil {
			return nil, fmt.Errorf("devcert: the set is mixed: %w", err)
		}
	}
	return a, nil
}

// serves reports whether the set does what a new one would.
func (a *Authority) serves(c *config, now time.Time) bool {
	left := a.NotAfter().Sub(now)
	if left <= min(margin, c.lifetime/2) || left > c.lifetime {
		return false
	}
	leaf := a.server.Leaf()
	for _, name := range c.names {
		if leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range c.ips {
		if leaf.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

// checkOwn refuses a directory in which a file of the set is not this
// package's own.
func checkOwn(dir string) error {
	var errs []error
	for _, name := range fileNames {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("devcert: %w; use another directory", err))
			continue
		}
		own := false
		if info.Mode().IsRegular() {
			if own, err = hasHeader(path); err != nil {
				errs = append(errs, fmt.Errorf("devcert: %w; use another directory", err))
				continue
			}
		}
		if !own {
			errs = append(errs, fmt.Errorf("devcert: %q was not made by devcert and is left alone; use another directory, or move the file away", path))
		}
	}
	return errors.Join(errs...)
}

func hasHeader(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	start := make([]byte, len(header))
	if _, err := io.ReadFull(f, start); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return string(start) == header, nil
}

func write(dir string, m *material) error {
	type file struct {
		name string
		data []byte
		mode fs.FileMode
	}
	files := []file{{caCert, encode("CERTIFICATE", m.ca.Raw), 0o644}}
	for _, pair := range []struct {
		cert, key string
		from      tls.Certificate
	}{{serverCert, serverKey, m.server}, {clientCert, clientKey, m.client}} {
		key, err := x509.MarshalPKCS8PrivateKey(pair.from.PrivateKey)
		if err != nil {
			return fmt.Errorf("devcert: encode %s: %w", pair.key, err)
		}
		files = append(files,
			file{pair.cert, encode("CERTIFICATE", pair.from.Certificate[0]), 0o644},
			file{pair.key, encode("PRIVATE KEY", key), 0o600})
	}
	for _, f := range files {
		if err := replace(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return fmt.Errorf("devcert: write %s: %w; make the directory writable for this user", f.name, err)
		}
	}
	return nil
}

func encode(label string, der []byte) []byte {
	var out bytes.Buffer
	out.WriteString(header)
	out.Write(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
	return out.Bytes()
}

// replace writes a file beside path and renames it, so that a reader never
// sees half of it.
func replace(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".devcert-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // already closed if the rename failed
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

package healthcmd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// maxFile is above any bundle in use.
const maxFile = 1 << 20

// loadTLS reads the files that the options name.
func loadTLS(o *options, t target) (*tlsRequest, error) {
	r := &tlsRequest{
		config: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			ServerName:         o.serverName,
			InsecureSkipVerify: o.noVerify, //nolint:gosec // only where the operator asks for it by name
		},
		caFile: o.ca, certFile: o.cert, serverName: t.host,
	}
	if o.serverName != "" {
		r.serverName = o.serverName
	}
	if o.ca != "" {
		cas, err := readCAs(o.ca)
		if err != nil {
			return nil, err
		}
		r.config.RootCAs = x509.NewCertPool()
		for _, ca := range cas {
			r.config.RootCAs.AddCert(ca)
		}
	}
	if o.cert == "" {
		return r, nil
	}
	cert, err := readPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	r.config.Certificates = []tls.Certificate{cert}
	r.ownFrom, r.ownUntil = cert.Leaf.NotBefore, cert.Leaf.NotAfter
	return r, nil
}

func readCAs(path string) ([]*x509.Certificate, error) {
	data, err := readFile("--ca", path)
	if err != nil {
		return nil, err
	}
	var cas []*x509.Certificate
	for block := range blocks(data) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, cli.Usagef("--ca %q: certificate %d cannot be read: %w; write the file anew", path, len(cas)+1, err)
		}
		cas = append(cas, cert)
	}
	if len(cas) == 0 {
		return nil, cli.Usagef("--ca %q holds no certificate in PEM; give the file of the CA that issued the server's certificate", path)
	}
	return cas, nil
}

func readPair(certPath, keyPath string) (tls.Certificate, error) {
	cert, err := readFile("--cert", certPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readFile("--key", keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	for block := range blocks(key) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return tls.Certificate{}, cli.Usagef(`--key %q is encrypted; decrypt it, for instance with "openssl pkey"`, keyPath)
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, cli.Usagef("--cert %q and --key %q cannot be used: %w; give a certificate and its own key, both in PEM",
			certPath, keyPath, err)
	}
	return pair, nil
}

// blocks yields the PEM blocks of data.
func blocks(data []byte) func(yield func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		for rest := bytes.TrimSpace(data); len(rest) > 0; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || !yield(block) {
				return
			}
		}
	}
}

// readFile reads a regular file: a pipe could block for ever.
func readFile(flag, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, unreadable(flag, path, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(flag, path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	if err != nil {
		return nil, unreadable(flag, path, err)
	}
	return data, nil
}

func unreadable(flag, path string, err error) error {
	if inner, ok := errors.AsType[*os.PathError](err); ok {
		err = inner.Err
	}
	return cli.Usagef("%s %q cannot be read: %w; name a PEM file that this user may read", flag, path, err)
}

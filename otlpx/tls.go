package otlpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
)

// tlsFiles are the files by which the collector is trusted and this program is
// known to it. They are read anew for each connection, so that they may rotate.
type tlsFiles struct {
	ca, cert, key string // empty: the system's, none
}

// readTLSFiles reads the variables and the files once, to refuse what is wrong
// before anything is served.
func readTLSFiles(env *environ, to endpoint, both func(string) []string) *tlsFiles {
	ca, caName := env.first(both("CERTIFICATE")...)
	cert, certName := env.first(both("CLIENT_CERTIFICATE")...)
	key, keyName := env.first(both("CLIENT_KEY")...)
	if ca == "" && cert == "" && key == "" {
		return nil
	}
	f := &tlsFiles{ca: ca, cert: cert, key: key}
	switch {
	case to.insecure:
		name := certName
		if ca != "" {
			name = caName
		}
		env.failf(name, "the endpoint is not of https; set %s to a URL of https, or leave the files out", to.variable)
	case cert == "" && key != "":
		env.failf(keyName, "there is no certificate for the key; set %s", certName)
	case cert != "" && key == "":
		env.failf(certName, "there is no key for the certificate; set %s", keyName)
	default:
		if _, err := f.roots(); err != nil {
			env.failf(caName, "%w", err)
		}
		if _, err := f.pair(); err != nil {
			env.failf(certName, "%w", err)
		}
	}
	return f
}

func (f *tlsFiles) roots() (*x509.CertPool, error) {
	if f == nil || f.ca == "" {
		return nil, nil //nolint:nilnil // what crypto/tls has for the roots of the system
	}
	pem, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(f.ca + " holds no certificate in PEM; name the file of the CA that signed the collector's certificate")
	}
	return pool, nil
}

func (f *tlsFiles) pair() ([]tls.Certificate, error) {
	if f == nil || f.cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{pair}, nil
}

// config is for one connection. A nil f has what the system trusts.
func (f *tlsFiles) config(serverName string) (*tls.Config, error) {
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	pair, err := f.pair()
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: pair, ServerName: serverName}, nil
}

// fileCredentials are credentials for gRPC with the files of the moment.
type fileCredentials struct {
	credentials.TransportCredentials // for what does not depend on the files

	files *tlsFiles
}

func newFileCredentials(files *tlsFiles) credentials.TransportCredentials {
	return &fileCredentials{credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), files}
}

func (c *fileCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	cfg, err := c.files.config("") // gRPC derives the name from the authority
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(cfg).ClientHandshake(ctx, authority, conn)
}

func (c *fileCredentials) Clone() credentials.TransportCredentials {
	return newFileCredentials(c.files)
}

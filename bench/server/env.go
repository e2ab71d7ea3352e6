package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Env is where and how a stack serves.
type Env struct {
	// Log drops what is below the level of errors and writes the rest, as JSON,
	// to the null device, with a system call for each line.
	Log *slog.Logger
	// LogFile is that device, for stacks with a logger of their own.
	LogFile *os.File
	// TLS is nil in plaintext, and otherwise a static configuration that
	// requires client certificates.
	TLS *tls.Config
	// Files are what TLS was read from.
	Files tlsx.Files

	listener net.Listener
}

func newEnv(certDir string) (*Env, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	env := &Env{
		LogFile: null,
		Log:     slog.New(slog.NewJSONHandler(null, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if certDir != "" {
		if err := env.readCerts(certDir); err != nil {
			return nil, err
		}
	}
	env.listener, err = net.Listen("tcp", "127.0.0.1:0")
	return env, err
}

func (e *Env) readCerts(dir string) error {
	authority, err := devcert.Dir(dir)
	if err != nil {
		return err
	}
	e.Files = authority.ServerFiles()
	cert, err := tls.LoadX509KeyPair(e.Files.Cert, e.Files.Key)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(e.Files.ClientCA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", e.Files.ClientCA)
	}
	e.TLS = &tls.Config{
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		MinVersion:   tls.VersionTLS12,
	}
	return nil
}

// Listener is what to serve on.
func (e *Env) Listener() net.Listener { return e.listener }

// Addr closes the listener and returns its address, for stacks that insist on
// listening themselves.
func (e *Env) Addr() (*net.TCPAddr, error) {
	addr, ok := e.listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("the listener is at %v, want a TCP address", e.listener.Addr())
	}
	return addr, e.listener.Close()
}

// Options puts the transport credentials in front of a stack's own options.
func (e *Env) Options(opts ...grpc.ServerOption) []grpc.ServerOption {
	if e.TLS == nil {
		return opts
	}
	return append([]grpc.ServerOption{grpc.Creds(credentials.NewTLS(e.TLS.Clone()))}, opts...)
}

package grpcx_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// volume is a directory of TLS files that changes as a Secret mounted by
// Kubernetes does: a new directory, then one rename of the link ..data.
type volume struct {
	dir  string
	data map[string][]byte
	n    int
}

func newVolume(t testing.TB) *volume {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	assert.NoError(t, err)
	return &volume{dir: dir, data: map[string][]byte{}}
}

// put replaces some of the files, all at once.
func (v *volume) put(t testing.TB, change map[string][]byte) {
	t.Helper()
	maps.Copy(v.data, change)
	v.n++
	stamp, data := fmt.Sprintf("..2026_11_22.%d", v.n), filepath.Join(v.dir, "..data")
	assert.NoError(t, os.Mkdir(filepath.Join(v.dir, stamp), 0o755))
	for name, content := range v.data {
		assert.NoError(t, os.WriteFile(filepath.Join(v.dir, stamp, name), content, 0o600))
	}
	old, _ := os.Readlink(data)
	assert.NoError(t, os.Symlink(stamp, data+"_tmp"))
	assert.NoError(t, os.Rename(data+"_tmp", data))
	for name := range v.data {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(v.dir, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	if old != "" {
		assert.NoError(t, os.RemoveAll(filepath.Join(v.dir, old)))
	}
}

func (v *volume) path(name string) string { return filepath.Join(v.dir, name) }

func (v *volume) files() tlsx.Files {
	return tlsx.Files{Cert: v.path("tls.crt"), Key: v.path("tls.key"), ClientCA: v.path("ca.crt")}
}

// identity are the files of a served certificate.
func identity(t testing.TB, leaf *certtest.Leaf) map[string][]byte {
	t.Helper()
	return map[string][]byte{"tls.crt": leaf.CertPEM(), "tls.key": leaf.KeyPEM(t)}
}

// trust is the bundle of client CAs.
func trust(cas ...*certtest.CA) map[string][]byte {
	var bundle []byte
	for _, ca := range cas {
		bundle = append(bundle, ca.PEM()...)
	}
	return map[string][]byte{"ca.crt": bundle}
}

// crlOf is a CRL in PEM; a later number is a later CRL.
func crlOf(t testing.TB, ca *certtest.CA, number int64, revoked ...*x509.Certificate) []byte {
	t.Helper()
	list := &x509.RevocationList{
		Number:     big.NewInt(number),
		ThisUpdate: time.Now().Add(-time.Hour).Add(time.Duration(number) * time.Second),
		NextUpdate: time.Now().Add(24 * time.Hour),
	}
	for _, cert := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.Cert, ca.Key)
	assert.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// site is a server over loopback whose TLS files can be rotated.
type site struct {
	*grpcxtest.Server
	*volume
	ca   *certtest.CA // of the server
	addr string
	log  *logBuffer
}

// newSite serves s to clients of the CAs. The volume may hold more, such as
// CRLs, which edit then names.
func newSite(t testing.TB, s *service, cas []*certtest.CA, edit func(*volume, *tlsx.Files), opts ...grpcx.Option) *site {
	t.Helper()
	out := &site{volume: newVolume(t), ca: certtest.NewCA(t, "servers"), log: new(logBuffer)}
	maps.Copy(out.data, trust(cas...))
	files := out.files()
	if edit != nil {
		edit(out.volume, &files)
	}
	out.put(t, identity(t, out.ca.Issue(t, certtest.Template{CommonName: "server"})))
	out.serve(t, s, append([]grpcx.Option{grpcx.WithTLSFiles(files)}, opts...)...)
	return out
}

func (s *site) serve(t testing.TB, svc *service, opts ...grpcx.Option) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	s.addr = lis.Addr().String()
	s.Server = grpcxtest.New(t, append([]grpcx.Option{withService(svc), grpcx.WithListener(lis), s.log.option()}, opts...)...)
}

func (s *site) tls(t testing.TB) grpcx.TLSStatus {
	t.Helper()
	status, ok := s.TLSStatus()
	if !ok {
		t.Fatal("no TLS status")
	}
	return status
}

// adopted waits until the trust is another than before.
func (s *site) adopted(t testing.TB, before uint64) grpcx.TLSStatus {
	t.Helper()
	waitFor(t, "the new trust", func() bool { return s.tls(t).Trust != before })
	return s.tls(t)
}

// caller is a client whose certificate can be renewed for its next connection.
type caller struct {
	testgrpc.TestServiceClient
	conn  *grpc.ClientConn
	leaf  atomic.Pointer[certtest.Leaf]
	dials atomic.Int64
}

func (s *site) dial(t testing.TB, leaf *certtest.Leaf, opts ...grpc.DialOption) *caller {
	t.Helper()
	c := new(caller)
	c.leaf.Store(leaf)
	config := &tls.Config{
		RootCAs: s.ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert := c.leaf.Load().TLS()
			return &cert, nil
		},
	}
	conn, err := grpc.NewClient(s.addr, append([]grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDisableRetry(),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1, MaxDelay: 10 * time.Millisecond},
			MinConnectTimeout: 20 * time.Second,
		}),
	}, opts...)...)
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	c.conn, c.TestServiceClient = conn, testgrpc.NewTestServiceClient(conn)
	return c
}

func (c *caller) call(t testing.TB) error {
	ctx, cancel := context.WithTimeout(t.Context(), childLimit)
	defer cancel()
	_, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{})
	return err
}

// stream is an open stream of echoes.
type stream struct {
	testgrpc.TestService_FullDuplexCallClient
}

func (c *caller) open(t testing.TB) stream {
	t.Helper()
	s, err := c.FullDuplexCall(t.Context())
	assert.NoError(t, err)
	out := stream{s}
	assert.NoError(t, out.echo())
	return out
}

func (s stream) echo() error {
	if err := s.Send(&testgrpc.StreamingOutputCallRequest{}); err != nil {
		_, err = s.Recv() // the status
		return err
	}
	_, err := s.Recv()
	return err
}

// ended waits for the end of the stream and returns its error.
func (s stream) ended() error {
	for {
		if _, err := s.Recv(); err != nil {
			return noEOF(err)
		}
	}
}

func (s stream) finish() error {
	_ = s.CloseSend()
	return s.ended()
}

func certs(cas ...*certtest.CA) (out []*x509.Certificate) {
	for _, ca := range cas {
		out = append(out, ca.Cert)
	}
	return out
}

// lasting makes a CA that outlives a test on fake time.
func lasting(cert *x509.Certificate) { cert.NotAfter = cert.NotBefore.Add(1000 * time.Hour) }

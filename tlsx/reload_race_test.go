package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// A thousand rotations, each adopted before the next, while clients connect
// without pause: no handshake fails, and none sees the certificate of one
// generation with the trust of another.
func TestReloaderUnderHandshakes(t *testing.T) {
	count := 1000
	if testing.Short() {
		count = 100
	}
	const clients = 8
	dir, err := filepath.EvalSymlinks(t.TempDir())
	assert.NoError(t, err)
	clientCA := certtest.NewCA(t, "clients")
	client := clientCA.Issue(t, certtest.Client).TLS()
	var cas sync.Map // common name to certificate
	makeIssue := func(n int) issue {
		i := newIssue(t, n)
		cas.Store(i.leaf.Cert.Subject.CommonName, i.ca.Cert)
		i.data["ca.crt"] = append(i.data["ca.crt"], clientCA.PEM()...)
		return i
	}
	w := &atomicWriter{t: t, dir: dir}
	w.write(makeIssue(0).data)
	rec := newRecorder()
	r := newReloader(t, filesIn(dir), rec.options(tlsx.WithSettle(time.Millisecond))...)
	stop := start(t, r)

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	server := tls.NewListener(lis, tlsx.ServerConfig(r))
	var serving, dialing sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				buf := make([]byte, 1)
				if _, err := conn.Read(buf); err != nil {
					t.Errorf("server: %v", err)
				} else if _, err := conn.Write(buf); err != nil {
					t.Errorf("server: %v", err)
				}
			})
		}
	})
	ended := make(chan struct{})
	var handshakes, failures atomic.Int64
	for n := range clients {
		dialing.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				handshakes.Add(1)
				if err := connect(lis.Addr().String(), client, &cas, versions[[]string{"TLS1.2", "TLS1.3"}[n%2]]); err != nil {
					failures.Add(1)
					t.Errorf("handshake of client %d: %v", n, err)
					return
				}
			}
		})
	}
	dialing.Go(func() { // no snapshot is ever mixed
		for {
			changed := r.Changed()
			s := r.Current()
			ca, ok := cas.Load(s.Leaf().Subject.CommonName)
			if !ok || !s.ClientCAs()[0].Equal(ca.(*x509.Certificate)) || s.Leaf().CheckSignatureFrom(s.ClientCAs()[0]) != nil {
				t.Errorf("a mixed generation: %v", s)
			}
			select {
			case <-ended:
				return
			case <-changed:
			}
		}
	})
	began := time.Now()
	for n := 1; n <= count; n++ {
		i := makeIssue(n)
		w.write(i.data)
		await(t, r, fmt.Sprintf("rotation %d", n), func(s *tlsx.Snapshot) bool { return s.Leaf().Equal(i.leaf.Cert) })
	}
	took := time.Since(began)
	close(ended)
	dialing.Wait()
	_ = lis.Close()
	serving.Wait()
	stop()
	assert.Equal(t, r.Current().Generation(), uint64(count+1))
	assert.Equal(t, failures.Load(), int64(0))
	assert.True(t, handshakes.Load() >= int64(count/10), "the clients kept connecting")
	assert.NotContains(t, rec.text(), "level=WARN", "level=ERROR")
	t.Logf("%d rotations in %v, %d handshakes, %d failed", count, took, handshakes.Load(), failures.Load())
}

// connect makes one connection and compares the generation of the server's
// certificate with that of the CAs which the server asks for.
func connect(addr string, client tls.Certificate, cas *sync.Map, version uint16) error {
	var asked []string
	cfg := &tls.Config{
		InsecureSkipVerify: true,
		MinVersion:         version, MaxVersion: version, NextProtos: []string{"h2"},
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			ca, ok := cas.Load(leaf.Subject.CommonName)
			if !ok {
				return fmt.Errorf("certificate %q is of no generation", leaf.Subject.CommonName)
			}
			return leaf.CheckSignatureFrom(ca.(*x509.Certificate))
		},
		GetClientCertificate: func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for _, raw := range info.AcceptableCAs {
				var rdn pkix.RDNSequence
				if _, err := asn1.Unmarshal(raw, &rdn); err != nil {
					return nil, err
				}
				var name pkix.Name
				name.FillFromRDNSequence(&rdn)
				asked = append(asked, name.CommonName)
			}
			return &client, nil
		},
	}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 20 * time.Second}, Config: cfg}
	raw, err := dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	buf := []byte{'x'}
	if _, err := raw.Write(buf); err != nil {
		return err
	}
	if _, err := io.ReadFull(raw, buf); err != nil { // the server's verdict, in TLS 1.3
		return err
	}
	name := raw.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	if len(asked) != 2 || asked[0] != name {
		return fmt.Errorf("a certificate of %q with the trust of %q", name, asked)
	}
	return nil
}

// A handshake takes nothing from the reloader but a pointer.
func TestReloaderHandshakeAllocations(t *testing.T) {
	dir := t.TempDir()
	i := newIssue(t, 0)
	i.write(t, dir)
	r := newReloader(t, filesIn(dir))
	assert.Equal(t, testing.AllocsPerRun(100, func() { _, _ = r.Current(), r.Changed() }), 0.0)
	cfg := plainClient(i.ca, i.ca.Issue(t, certtest.Client).TLS())
	measure := func(server *tls.Config) float64 {
		return testing.AllocsPerRun(20, func() {
			_, _, serverErr, clientErr := handshake(t, server, cfg)
			assert.NoError(t, serverErr)
			assert.NoError(t, clientErr)
		})
	}
	static := measure(tlsx.ServerConfig(tlsx.Static(r.Current())))
	got := measure(tlsx.ServerConfig(r))
	t.Logf("%.0f allocations, %.0f with a static source", got, static)
	if got > static+8 {
		t.Errorf("%.0f allocations, %.0f with a static source", got, static)
	}
}

package certscmd_test

import (
	"bufio"
	"crypto/tls"
	"net"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// openssl runs a command of OpenSSL 3 and returns what it printed; the test is
// skipped where there is none.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err
}

func needOpenSSL(t *testing.T) {
	t.Helper()
	if version, _ := openssl(t, "version"); !regexp.MustCompile(`^OpenSSL [3-9]`).MatchString(version) {
		t.Skipf("openssl is %q, not OpenSSL 3 or later", version)
	}
}

// OpenSSL takes what is issued: it verifies it strictly, as a server's and as a
// client's, and shakes hands with package tlsx on either side.
func TestOpenSSL(t *testing.T) {
	needOpenSSL(t)
	for _, key := range []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"} {
		t.Run(key, func(t *testing.T) {
			newCA(t, "--key", key, "--permit-dns", "localhost", "--permit-uri", "example.org")
			mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--ip", "127.0.0.1,::1", "--key", key)
			mustRun(t, "issue", "--out", "web", "--profile", "client", "--spiffe", "spiffe://example.org/web", "--key", key)
			mustRun(t, "issue", "--out", "mesh", "--profile", "both", "--dns", "localhost", "--spiffe", "spiffe://example.org/mesh", "--cn", "mesh", "--key", key)
			mustRun(t, "renew", "--force", "api", "web")
			mustRun(t, "crl", "--out", "ca.crl")
			verify := func(args ...string) (string, error) {
				return openssl(t, append([]string{"verify", "-x509_strict", "-CAfile", "ca/ca.crt", "-CRLfile", "ca.crl", "-crl_check"}, args...)...)
			}
			for _, args := range [][]string{
				{"-purpose", "sslserver", "-verify_hostname", "localhost", "api/tls.crt"},
				{"-purpose", "sslserver", "-verify_ip", "127.0.0.1", "api/tls.crt"},
				{"-purpose", "sslclient", "web/tls.crt"},
				{"-purpose", "sslserver", "-verify_hostname", "localhost", "mesh/tls.crt"},
				{"-purpose", "sslclient", "mesh/tls.crt"},
			} {
				out, err := verify(args...)
				assert.NoError(t, err, out)
			}
			for want, args := range map[string][]string{
				"unsuitable certificate purpose": {"-purpose", "sslclient", "api/tls.crt"},
				"ostname mismatch":               {"-purpose", "sslserver", "-verify_hostname", "example.com", "api/tls.crt"},
			} {
				out, err := verify(args...)
				assert.True(t, err != nil, out)
				assert.Contains(t, out, want)
			}
			opensslClient(t, "api", "web")
			opensslClient(t, "mesh", "mesh")
			opensslServer(t, "api", "web")
			opensslServer(t, "mesh", "mesh")

			mustRun(t, "revoke", "--reason", "keyCompromise", "web")
			mustRun(t, "crl", "--out", "ca.crl")
			out, err := openssl(t, "crl", "-in", "ca.crl", "-noout", "-text", "-CAfile", "ca/ca.crt")
			assert.NoError(t, err, out)
			assert.Contains(t, out, "verify OK", "Key Compromise", "X509v3 Authority Key Identifier")
			out, err = verify("web/tls.crt")
			assert.True(t, err != nil, out)
			assert.Contains(t, out, "certificate revoked")
			out, err = verify("api/tls.crt")
			assert.NoError(t, err, out)
		})
	}
}

// opensslClient connects openssl to package tlsx.
func opensslClient(t *testing.T, server, client string) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", tlsx.ServerConfig(tlsx.Static(load(t, server, tlsx.ForServer))))
	assert.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			err = conn.(*tls.Conn).HandshakeContext(t.Context())
			_ = conn.Close()
		}
		done <- err
	}()
	out, err := openssl(t, "s_client", "-connect", ln.Addr().String(), "-CAfile", client+"/ca.crt", "-cert", client+"/tls.crt", "-key", client+"/tls.key",
		"-x509_strict", "-verify_return_error", "-verify_hostname", "localhost", "-alpn", "h2", "-brief")
	assert.NoError(t, err, out)
	assert.NoError(t, ln.Close())
	assert.NoError(t, <-done, out)
}

var acceptPattern = regexp.MustCompile(`^ACCEPT (127\.0\.0\.1:\d+)`)

// opensslServer connects package tlsx to openssl.
func opensslServer(t *testing.T, server, client string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-CAfile", server+"/ca.crt",
		"-cert", server+"/tls.crt", "-key", server+"/tls.key", "-x509_strict", "-Verify", "1", "-verify_return_error", "-alpn", "h2", "-www")
	stdin, err := cmd.StdinPipe() // it ends with its input
	assert.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	assert.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	assert.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	var printed, addr string
	for addr == "" && lines.Scan() {
		printed += lines.Text() + "\n"
		if m := acceptPattern.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
	}
	if addr == "" {
		t.Fatalf("openssl s_server: %v\n%s", cmd.Wait(), printed)
	}
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	assert.NoError(t, err)
	config := tlsx.ClientConfig(tlsx.Static(load(t, client, tlsx.ForClient)), tlsx.ServerName("localhost"))
	assert.NoError(t, raw.SetDeadline(time.Now().Add(10*time.Second)))
	conn := tls.Client(raw, config)
	assert.NoError(t, conn.HandshakeContext(t.Context()))
	_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	assert.NoError(t, err)
	page := make([]byte, 15)
	_, err = conn.Read(page) // its verdict on the client comes after the handshake
	_ = conn.Close()
	for lines.Scan() {
		printed += lines.Text() + "\n"
	}
	_ = stdin.Close()
	assert.NoError(t, err, printed)
	assert.Equal(t, string(page[:8]), "HTTP/1.0")
	_ = cmd.Wait()
}

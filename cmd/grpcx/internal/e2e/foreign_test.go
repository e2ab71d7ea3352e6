package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/internal/assert"
)

// A language runs a client, which ends, and a server, which tells its port and
// ends with its input. The arguments are the files of CA, certificate and key.
type language struct {
	name           string
	client, server func(args ...string) *exec.Cmd
}

// What "grpcx certs" issues is accepted by the TLS of each language, as a
// server's certificate by DNS name and IP address, and as a client's. grpc-go
// has the TLS of the standard library here, not that of package tlsx.
func TestForeignPeers(t *testing.T) {
	t.Run("grpc-go", func(t *testing.T) { peers(t, nil, "ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048") })
	if os.Getenv("GRPCX_CERTS") == "" {
		t.Skip("runs with `make test-certs`: it needs Python's grpcio, Node's @grpc/grpc-js and cfssl")
	}
	t.Run("C-core", func(t *testing.T) {
		python := "/usr/bin/python3" // the one that python3-grpcio is for
		if out, err := exec.Command(python, "-c", "import grpc").CombinedOutput(); err != nil {
			t.Fatalf("no grpcio: %s; on Debian: apt-get install python3-grpcio", bytes.TrimSpace(out))
		}
		peers(t, script(python, "py"), "ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048")
	})
	t.Run("grpc-js", func(t *testing.T) {
		dir := t.TempDir()
		out, err := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, "@grpc/grpc-js@1.14").CombinedOutput()
		assert.NoError(t, err, string(out))
		peers(t, script("node", "js", "NODE_NO_WARNINGS=1", "NODE_PATH="+filepath.Join(dir, "node_modules")), "ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048")
	})
}

func script(interpreter, ending string, env ...string) *language {
	command := func(name string) func(...string) *exec.Cmd {
		path := filepath.Join(sourceDir, "testdata", name+"."+ending)
		return func(args ...string) *exec.Cmd {
			cmd := exec.Command(interpreter, append([]string{path}, args...)...)
			cmd.Env = append(os.Environ(), env...)
			return cmd
		}
	}
	return &language{interpreter, command("client"), command("server")}
}

// peers calls grpc-go from the language and the other way round; nil is grpc-go
// itself.
func peers(t *testing.T, other *language, keys ...string) {
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			certs(t, "init-ca", "--key", key)
			certs(t, "issue", "--out", "api", "--dns", "localhost", "--ip", "127.0.0.1", "--key", key)
			certs(t, "issue", "--out", "web", "--profile", "client", "--spiffe", "spiffe://example.org/web", "--key", key)
			certs(t, "issue", "--out", "mesh", "--profile", "both", "--dns", "localhost", "--ip", "127.0.0.1", "--spiffe", "spiffe://example.org/mesh", "--key", key)
			for _, server := range []string{"api", "mesh"} {
				addr := serveGo(t, server)
				_, port, err := net.SplitHostPort(addr)
				assert.NoError(t, err)
				for _, client := range []string{"web", "mesh"} {
					targets := []string{"localhost:" + port, addr}
					for _, target := range targets {
						callGo(t, target, client)
					}
					if other == nil {
						continue
					}
					out, err := other.client(append(paths(client), targets...)...).CombinedOutput()
					assert.NoError(t, err, string(out))
					t.Logf("%s calls %s as %s: %s", other.name, server, client, bytes.TrimSpace(out))
				}
				if other != nil {
					port := serveForeign(t, other, server)
					for _, client := range []string{"web", "mesh"} {
						for _, host := range []string{"localhost:", "127.0.0.1:"} {
							assert.Contains(t, strings.Join(callGo(t, host+port, client), " "), "spiffe://example.org/"+client)
						}
					}
				}
			}
		})
	}
}

func paths(dir string) []string {
	return []string{filepath.Join(dir, "ca.crt"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

// config is that of a program that knows the standard library only.
func config(t *testing.T, dir string) *tls.Config {
	t.Helper()
	files := paths(dir)
	pair, err := tls.LoadX509KeyPair(files[1], files[2])
	assert.NoError(t, err)
	ca, err := os.ReadFile(files[0])
	assert.NoError(t, err)
	pool := x509.NewCertPool()
	assert.True(t, pool.AppendCertsFromPEM(ca))
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
}

func serveGo(t *testing.T, dir string) (addr string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(config(t, dir))))
	healthpb.RegisterHealthServer(srv, health.NewServer())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(lis)
	}()
	t.Cleanup(func() {
		srv.Stop()
		<-done
	})
	return lis.Addr().String()
}

// callGo returns what a foreign server says the client is.
func callGo(t *testing.T, target, dir string) []string {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(credentials.NewTLS(config(t, dir))))
	assert.NoError(t, err)
	defer func() { _ = conn.Close() }()
	var trailer metadata.MD
	reply, err := healthpb.NewHealthClient(conn).Check(t.Context(), new(healthpb.HealthCheckRequest), grpc.Trailer(&trailer))
	assert.NoError(t, err, target, dir)
	assert.Equal(t, reply.GetStatus(), healthpb.HealthCheckResponse_SERVING)
	return trailer.Get("peer")
}

func serveForeign(t *testing.T, other *language, dir string) (port string) {
	t.Helper()
	cmd := other.server(paths(dir)...)
	stdin, err := cmd.StdinPipe()
	assert.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	assert.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	assert.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		assert.NoError(t, cmd.Wait(), stderr.String())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	assert.NoError(t, err)
	return strings.TrimSpace(line)
}

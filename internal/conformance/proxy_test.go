package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
)

const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
	server {
		listen %[1]s ssl http2;
		ssl_certificate %[3]s/server.pem;
		ssl_certificate_key %[3]s/server.pem;
		ssl_client_certificate %[4]s;
		ssl_verify_client on;
		client_max_body_size 0;
		location / {
			grpc_pass grpcs://%[2]s;
			grpc_ssl_certificate %[3]s/client.pem;
			grpc_ssl_certificate_key %[3]s/client.pem;
			grpc_ssl_trusted_certificate %[4]s;
			grpc_ssl_verify on;
			grpc_ssl_name localhost;
		}
	}
}
`

const haproxyConf = `
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend clients
	bind %[1]s ssl crt %[3]s/server.pem alpn h2 ca-file %[4]s verify required
	default_backend servers
backend servers
	server grpcx %[2]s ssl crt %[3]s/client.pem alpn h2 ca-file %[4]s verify required sni str(localhost)
`

// Every interop case passes through a proxy that ends the client's connection
// and makes its own to the server, each with mutual TLS.
func TestInteropBehindProxies(t *testing.T) {
	heavy(t)
	for name, proxy := range map[string]struct {
		config string
		args   []string
	}{
		"nginx":   {nginxConf, []string{"-p", ".", "-c"}},
		"haproxy": {haproxyConf, []string{"-db", "-f"}},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				path, err = exec.LookPath("/usr/sbin/" + name)
			}
			if err != nil {
				t.Skipf("no %[1]s; on Debian: apt-get install %[1]s", name)
			}
			srv := newWoven(t)
			addr := freeAddr(t)
			startProxy(t, srv, addr, path, proxy.config, proxy.args)
			dialProxy := func(t *testing.T) *grpc.ClientConn { return dial(t, addr, srv.certs) }

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err = testgrpc.NewTestServiceClient(dialProxy(t)).EmptyCall(ctx, &testgrpc.Empty{}, grpc.WaitForReady(true))
			assert.NoError(t, err, "the first call")
			t.Run("cases", func(t *testing.T) { runCases(t, addr, dialProxy) })
		})
	}
}

func startProxy(t *testing.T, srv *woven, addr, path, config string, args []string) {
	t.Helper()
	dir := t.TempDir()
	bundle := func(name, cert, key string) {
		var both []byte
		for _, file := range []string{cert, key} {
			text, err := os.ReadFile(file)
			assert.NoError(t, err)
			both = append(both, text...)
		}
		certtest.WriteFile(t, dir, name, both)
	}
	server, client := srv.certs.ServerFiles(), srv.certs.ClientFiles()
	bundle("server.pem", server.Cert, server.Key)
	bundle("client.pem", client.Cert, client.Key)
	conf := certtest.WriteFile(t, dir, "conf", fmt.Appendf(nil, config, addr, srv.addr, dir, srv.certs.CAFile()))

	var log bytes.Buffer
	cmd := exec.Command(path, append(args, filepath.Base(conf))...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	assert.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s", log.Bytes())
		}
	})
}

// freeAddr returns an address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	lis := listen(t)
	defer func() { _ = lis.Close() }()
	return lis.Addr().String()
}

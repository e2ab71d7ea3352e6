package deploy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/internal/assert"
)

// nobody is the user of the image.
const nobody = 65532

// container is a directory that holds what a container of the image would: the
// binary, /tls, and where needed an emulator. Its processes have that as their
// root and run as nobody, if the test may do so.
type container struct {
	dir      string
	isolated bool
	emulated bool
	certs    string // server/ and client/

	addr, probe, admin string
	log                bytes.Buffer
	cmd                *exec.Cmd
}

func newContainer(t *testing.T, binary []byte, emulator, certs string) *container {
	t.Helper()
	c := &container{
		dir: t.TempDir(), certs: certs,
		isolated: os.Geteuid() == 0, emulated: emulator != "",
		addr: freeAddr(t), probe: freeAddr(t), admin: freeAddr(t),
	}
	c.add(t, "server", binary, 0o755)
	if emulator != "" {
		c.add(t, "emulator", []byte(read(t, emulator)), 0o755)
	}
	assert.NoError(t, os.Mkdir(filepath.Join(c.dir, "tls"), 0o755))
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		file := filepath.Join("tls", name)
		c.add(t, file, []byte(read(t, filepath.Join(certs, "server", name))), 0o400)
		if c.isolated {
			assert.NoError(t, os.Chown(filepath.Join(c.dir, file), nobody, nobody))
		}
	}
	return c
}

func (c *container) add(t *testing.T, name string, data []byte, mode os.FileMode) {
	t.Helper()
	assert.NoError(t, os.WriteFile(filepath.Join(c.dir, name), data, mode))
}

// command makes one that runs the entrypoint in the container.
func (c *container) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	base := c.dir
	if c.isolated {
		base = "/"
	}
	args = append([]string{"-certs", filepath.Join(base, "tls"), "-admin", c.admin}, args...)
	name := filepath.Join(base, "server")
	if c.emulated {
		name, args = filepath.Join(base, "emulator"), append([]string{name}, args...)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = base
	cmd.Env = []string{
		"APP_GRPC_ADDR=" + c.addr,
		"APP_GRPC_PROBE_ADDR=" + c.probe,
		"APP_GRPC_DRAIN_DELAY=2s",
	}
	if c.isolated {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Chroot:     c.dir,
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		}
	}
	return cmd
}

// start runs the server; the end of the test kills it if it still runs.
func (c *container) start(t *testing.T, args ...string) {
	t.Helper()
	c.cmd = c.command(t, args...)
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	assert.NoError(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.cmd.Wait() // fails when the test has waited
		if t.Failed() {
			t.Logf("%v\n%s", c.cmd, c.log.String())
		}
	})
}

// wait returns when the server has ended, which must be a good end.
func (c *container) wait(t *testing.T) {
	t.Helper()
	assert.NoError(t, c.cmd.Wait())
	assert.NotContains(t, c.log.String(), "level=ERROR", "panic:")
}

// clientTLS returns the client's side of mutual TLS, or without its certificate.
func (c *container) clientTLS(t *testing.T, withCert bool) credentials.TransportCredentials {
	t.Helper()
	dir := filepath.Join(c.certs, "client")
	config := &tls.Config{ServerName: "greeter", RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
	assert.True(t, config.RootCAs.AppendCertsFromPEM([]byte(read(t, filepath.Join(dir, "ca.crt")))))
	if withCert {
		cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		assert.NoError(t, err)
		config.Certificates = []tls.Certificate{cert}
	}
	return credentials.NewTLS(config)
}

func dial(t *testing.T, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second},
			MinConnectTimeout: 20 * time.Second, // a handshake under QEMU
		}))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// freeAddr returns a loopback address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer func() { _ = lis.Close() }()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(lis.Addr().(*net.TCPAddr).Port))
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

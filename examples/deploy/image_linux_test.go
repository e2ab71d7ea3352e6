package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/assert"
)

// The steps of the Dockerfile make the same binary in any directory, and the
// binary alone, without a file system around it, is the server.
func TestImage(t *testing.T) {
	if os.Getenv("GRPCX_DEPLOY") == "" {
		t.Skip("runs with `make test-deploy`: it compiles everything four times")
	}
	_, stages := readDockerfile(t)
	certs := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "run", "./democerts", "-dir", certs).CombinedOutput()
	assert.NoError(t, err, string(out))

	cache := t.TempDir() // of its own for the second build
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			binary := build(t, stages[0], arch, "")
			assert.True(t, bytes.Equal(binary, build(t, stages[0], arch, cache)), "two builds differ")
			emulator := emulatorFor(t, arch)
			t.Run("mutual TLS", func(t *testing.T) { serveMutualTLS(t, newContainer(t, binary, emulator, certs)) })
			t.Run("behind a sidecar", func(t *testing.T) { servePlaintext(t, newContainer(t, binary, emulator, certs)) })
		})
	}
}

// emulatorFor returns the path of the emulator, or nothing where arch is native.
func emulatorFor(t *testing.T, arch string) string {
	t.Helper()
	if arch == runtime.GOARCH {
		return ""
	}
	name := map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}[arch]
	emulator, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is missing: apt-get install qemu-user-static (Debian, Ubuntu)", name)
	}
	return emulator
}

func serveMutualTLS(t *testing.T, c *container) {
	c.start(t)
	health := healthpb.NewHealthClient(dial(t, c.probe, insecure.NewCredentials()))
	watch, err := health.Watch(soon(t), &healthpb.HealthCheckRequest{Service: "readiness"}, grpc.WaitForReady(true))
	assert.NoError(t, err)
	awaitStatus(t, watch, healthpb.HealthCheckResponse_SERVING)
	for _, name := range []string{"liveness", "startup"} {
		resp, err := health.Check(soon(t), &healthpb.HealthCheckRequest{Service: name})
		assert.NoError(t, err)
		assert.Equal(t, resp.GetStatus(), healthpb.HealthCheckResponse_SERVING, name)
	}
	assert.NoError(t, greetAda(t, c, c.clientTLS(t, true)))
	assert.Equal(t, status.Code(greetAda(t, c, c.clientTLS(t, false))), codes.Unavailable, "without a certificate")
	assert.Equal(t, status.Code(greetAda(t, c, insecure.NewCredentials())), codes.Unavailable, "plaintext")
	out, err := c.command(t, "-check").CombinedOutput()
	assert.NoError(t, err, string(out))

	assert.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	awaitStatus(t, watch, healthpb.HealthCheckResponse_NOT_SERVING)
	assert.NoError(t, greetAda(t, c, c.clientTLS(t, true)), "in the drain delay")
	out, err = c.command(t, "-check").CombinedOutput()
	assert.True(t, err != nil, "-check says that a draining server is ready")
	assert.Contains(t, string(out), "not ready")
	c.wait(t)
}

func servePlaintext(t *testing.T, c *container) {
	c.start(t, "-insecure")
	health := healthpb.NewHealthClient(dial(t, c.probe, insecure.NewCredentials()))
	watch, err := health.Watch(soon(t), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	assert.NoError(t, err)
	awaitStatus(t, watch, healthpb.HealthCheckResponse_SERVING)
	assert.NoError(t, greetAda(t, c, insecure.NewCredentials()))
	assert.NoError(t, c.cmd.Process.Signal(syscall.SIGINT)) // skips the delay
	c.wait(t)
}

func greetAda(t *testing.T, c *container, creds credentials.TransportCredentials) error {
	t.Helper()
	resp, err := greet.NewGreeterClient(dial(t, c.addr, creds)).Greet(soon(t), &greet.GreetRequest{Name: "Ada"})
	if err == nil {
		assert.Equal(t, resp.GetGreeting(), "Hello, Ada!")
	}
	return err
}

func awaitStatus(t *testing.T, watch grpc.ServerStreamingClient[healthpb.HealthCheckResponse], want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	for {
		resp, err := watch.Recv()
		assert.NoError(t, err)
		if resp.GetStatus() == want {
			return
		}
	}
}

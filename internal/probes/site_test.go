package probes_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"k8s.io/kubernetes/pkg/probe"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// site is a server that requires client certificates, with a database that can
// fail.
type site struct {
	*grpcxtest.Server
	certs  *devcert.Authority
	broken atomic.Bool
}

func newSite(t *testing.T, opts ...grpcx.Option) *site {
	t.Helper()
	heavy(t)
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	s := &site{certs: certs}
	s.Server = grpcxtest.New(t, append([]grpcx.Option{
		grpcx.WithTLSFiles(certs.ServerFiles()), grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithProbeAddr("127.0.0.1:0"), grpcx.WithAdminAddr("127.0.0.1:0"),
		grpcx.WithCheck("database", s.database, healthx.Interval(20*time.Millisecond), healthx.FailureThreshold(1)),
		grpcxtest.Services(func(r grpc.ServiceRegistrar) {
			testgrpc.RegisterTestServiceServer(r, testgrpc.UnimplementedTestServiceServer{})
		}),
	}, opts...)...)
	return s
}

func (s *site) database(context.Context) error {
	if s.broken.Load() {
		return errors.New("connection refused")
	}
	return nil
}

// limit is the timeoutSeconds of a probe.
const limit = time.Second

// kubeletGRPC runs a gRPC probe as kubelet does.
func kubeletGRPC(t *testing.T, addr net.Addr, service string) (probe.Result, string) {
	t.Helper()
	host, text, err := net.SplitHostPort(addr.String())
	assert.NoError(t, err)
	port, err := strconv.Atoi(text)
	assert.NoError(t, err)
	result, out, err := grpcprobe.New().Probe(host, service, port, limit)
	assert.NoError(t, err)
	return result, out
}

// kubeletHTTP runs an HTTP probe as kubelet does.
func kubeletHTTP(t *testing.T, addr net.Addr, path string) (probe.Result, string) {
	t.Helper()
	req, err := httpprobe.NewProbeRequest(&url.URL{Scheme: "http", Host: addr.String(), Path: path}, http.Header{})
	assert.NoError(t, err)
	result, out, err := httpprobe.New(false).Probe(req, limit)
	assert.NoError(t, err)
	return result, out
}

// healthProbe is the path of grpc-health-probe, built once.
var healthProbe = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs(filepath.Join("..", "..", ".tmp", "bin", "grpc-health-probe"))
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", path, "github.com/grpc-ecosystem/grpc-health-probe").CombinedOutput()
	if err != nil {
		return "", errors.New(err.Error() + "\n" + string(out))
	}
	return path, nil
})

// Exit codes of grpc-health-probe.
const (
	exitHealthy      = 0
	exitNoConnection = 2
	exitUnhealthy    = 4
)

// healthProbeExit runs grpc-health-probe.
func healthProbeExit(t *testing.T, addr net.Addr, args ...string) (code int, out string) {
	t.Helper()
	bin, err := healthProbe()
	assert.NoError(t, err)
	args = append([]string{"-addr", addr.String(), "-connect-timeout", limit.String(), "-rpc-timeout", limit.String()}, args...)
	text, err := exec.CommandContext(t.Context(), bin, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(text)
	}
	assert.NoError(t, err)
	return 0, string(text)
}

// answers is what every kind of probe says of readiness, liveness and startup.
type answers map[string]probe.Result

// ask runs every kind of probe once, without any client certificate.
func (s *site) ask(t *testing.T) answers {
	t.Helper()
	all := answers{}
	for service, path := range map[string]string{"readiness": "/readyz", "liveness": "/livez", "startup": "/startupz"} {
		all[service+" by kubelet, gRPC"], _ = kubeletGRPC(t, s.ProbeAddr(), service)
		all[service+" by kubelet, HTTP"], _ = kubeletHTTP(t, s.AdminAddr(), path)
		result := probe.Failure
		if code, _ := healthProbeExit(t, s.ProbeAddr(), "-service", service); code == exitHealthy {
			result = probe.Success
		}
		all[service+" by grpc-health-probe"] = result
	}
	return all
}

// expect is what every kind of probe should say.
func expect(readiness, liveness, startup probe.Result) answers {
	all := answers{}
	for _, by := range []string{" by kubelet, gRPC", " by kubelet, HTTP", " by grpc-health-probe"} {
		all["readiness"+by], all["liveness"+by], all["startup"+by] = readiness, liveness, startup
	}
	return all
}

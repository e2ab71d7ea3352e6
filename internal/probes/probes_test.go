package probes_test

import (
	"testing"
	"time"

	"k8s.io/kubernetes/pkg/probe"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// The life of a pod as its probes see it: ready; not ready in the delay of the
// drain, and alive; gone. None of them has a client certificate.
func TestLifeOfAPod(t *testing.T) {
	s := newSite(t, grpcx.WithDrain(grpcx.Drain{Delay: 5 * time.Second, Stop: 5 * time.Second}))
	assert.Equal(t, s.ask(t), expect(probe.Success, probe.Success, probe.Success))

	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	waitFor(t, "the drain", func() bool {
		result, _ := kubeletGRPC(t, s.ProbeAddr(), "readiness")
		return result == probe.Failure
	})
	begin := time.Now()
	assert.Equal(t, s.ask(t), expect(probe.Failure, probe.Success, probe.Failure))
	assert.True(t, !s.Stopped(), "probed within the delay")
	t.Logf("probed 9 times in %v", time.Since(begin))
	_, out := kubeletGRPC(t, s.ProbeAddr(), "readiness")
	assert.Equal(t, out, `service unhealthy (responded with "NOT_SERVING")`)
	_, out = kubeletHTTP(t, s.AdminAddr(), "/readyz")
	assert.Equal(t, out, "HTTP probe failed with statuscode: 500")

	assert.NoError(t, <-stopped)
	assert.Equal(t, s.ask(t), expect(probe.Failure, probe.Failure, probe.Failure))
	code, out := healthProbeExit(t, s.ProbeAddr())
	assert.Equal(t, code, exitNoConnection, out)
}

// A database that fails takes the server out of rotation, and restarts nothing.
func TestFailingDatabase(t *testing.T) {
	s := newSite(t)
	s.broken.Store(true)
	waitFor(t, "not ready", func() bool {
		result, _ := kubeletGRPC(t, s.ProbeAddr(), "readiness")
		return result == probe.Failure
	})
	// More often than the failureThreshold of 3 that Kubernetes has by default.
	for range 5 {
		assert.Equal(t, s.ask(t), expect(probe.Failure, probe.Success, probe.Success))
	}
	code, out := healthProbeExit(t, s.ProbeAddr(), "-service", "grpc.testing.TestService")
	assert.Equal(t, code, exitUnhealthy, out)

	s.broken.Store(false)
	waitFor(t, "ready again", func() bool {
		result, _ := kubeletGRPC(t, s.ProbeAddr(), "readiness")
		return result == probe.Success
	})
	assert.Equal(t, s.ask(t), expect(probe.Success, probe.Success, probe.Success))
}

// The serving port is why there is a probe listener: it answers nobody without
// a certificate, and those with one.
func TestServingPort(t *testing.T) {
	s := newSite(t)
	serving := s.Addrs()[0]
	result, _ := kubeletGRPC(t, serving, "readiness")
	assert.Equal(t, result, probe.Failure)

	server := []string{"-tls", "-tls-ca-cert", s.certs.CAFile(), "-tls-server-name", "localhost"}
	code, out := healthProbeExit(t, serving, server...)
	assert.True(t, code != exitHealthy, out)
	client := s.certs.ClientFiles()
	code, out = healthProbeExit(t, serving, append(server, "-tls-client-cert", client.Cert, "-tls-client-key", client.Key)...)
	assert.Equal(t, code, exitHealthy, out)
}

// The probe listener over TLS: encrypted, verified or not, and without a client
// certificate.
func TestProbeTLS(t *testing.T) {
	s := newSite(t, grpcx.WithProbeTLS())
	for name, args := range map[string][]string{
		"not verified": {"-tls", "-tls-no-verify"},
		"verified":     {"-tls", "-tls-ca-cert", s.certs.CAFile(), "-tls-server-name", "localhost"},
	} {
		code, out := healthProbeExit(t, s.ProbeAddr(), append(args, "-service", "readiness")...)
		assert.Equal(t, code, exitHealthy, name, out)
	}
	result, _ := kubeletGRPC(t, s.ProbeAddr(), "readiness")
	assert.Equal(t, result, probe.Failure, "kubelet's gRPC probe, which speaks no TLS")

	s.broken.Store(true)
	waitFor(t, "unhealthy", func() bool {
		code, _ := healthProbeExit(t, s.ProbeAddr(), "-tls", "-tls-no-verify")
		return code == exitUnhealthy
	})
}

package grpcx_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/runtimex"
	"github.com/grpcx-go/sdk/tlsx"
)

// checkOf returns what a server reports of one of its checks.
func checkOf(t testing.TB, srv *grpcx.Server, name string) healthx.CheckReport {
	t.Helper()
	for _, c := range srv.Health().Report().Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no check %s", name)
	return healthx.CheckReport{}
}

// A certificate that is not renewed in time is reported, and served on.
func TestRenewalCheck(t *testing.T) {
	for _, test := range []struct {
		name string
		life time.Duration
		due  time.Duration // since the certificate was issued
	}{
		{"a quarter of a short life", 8 * time.Hour, 6 * time.Hour},
		{"30 days of a long one", 200 * 24 * time.Hour, 170 * 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issued := time.Now().Add(time.Hour - test.due)
				ca := certtest.NewCA(t, "all", func(cert *x509.Certificate) { cert.NotBefore, cert.NotAfter = issued, issued.Add(test.life) })
				leaf := ca.Issue(t, certtest.Template{NotBefore: issued, NotAfter: issued.Add(test.life)})
				srv, _ := overMemory(t, &service{}, tlsx.Material{Certificate: leaf.TLS(), ClientCAs: certs(ca)}, ca, nil)
				time.Sleep(59 * time.Minute)
				assert.Equal(t, checkOf(t, srv.Server, "tls-certificate-renewal").State, healthx.CheckPassing)
				time.Sleep(2 * time.Minute)
				c := checkOf(t, srv.Server, "tls-certificate-renewal")
				assert.Equal(t, c.State, healthx.CheckFailing)
				assert.True(t, c.Informational)
				assert.Contains(t, c.Error, issued.Add(test.life).UTC().Format(time.RFC3339), "see to what renews it")
				assert.True(t, ready(srv), "ready")
			})
		})
	}
}

// While the garbage collector uses too much CPU an informational check fails.
func TestCollectorCheck(t *testing.T) {
	// The guard is made quick, and gentle to this machine.
	quick, err := runtimex.Apply(
		runtimex.WithGCGuard(runtimex.GCGuard{Threshold: 0.05, For: 80 * time.Millisecond}),
		runtimex.WithPollInterval(10*time.Millisecond),
		runtimex.WithLogger(slog.New(slog.DiscardHandler)))
	assert.NoError(t, err)
	defer quick.Undo()
	var log logBuffer
	whileServing(t, (*grpcx.Server).Run, func(srv *grpcx.Server) {
		state := func() healthx.CheckState { return checkOf(t, srv, "gc-pressure").State }
		waitFor(t, "the first result", func() bool { return state() == healthx.CheckPassing })
		pressed, cancel := context.WithCancel(t.Context())
		defer cancel()
		collecting := background(func() {
			for pressed.Err() == nil {
				runtime.GC()
			}
		})
		waitFor(t, "the failure", func() bool { return state() == healthx.CheckFailing })
		c := checkOf(t, srv, "gc-pressure")
		assert.True(t, c.Informational)
		assert.Contains(t, c.Error, "garbage collector", "raise the memory limit")
		status, _ := srv.Health().Status("")
		assert.Equal(t, status, healthx.Serving)
		cancel()
		<-collecting
		// A collection now and then tells the guard that it is over.
		polls := 0
		waitFor(t, "the relief", func() bool {
			if polls++; polls%200 == 0 {
				runtime.GC()
			}
			return state() == healthx.CheckPassing
		})
	}, log.option())
	assert.NotContains(t, log.String(), "is missing")
}

// Serve tunes nothing and has nothing to say of the collector.
func TestCollectorCheckIsOfRun(t *testing.T) {
	whileServing(t, func(s *grpcx.Server, ctx context.Context) error { return s.Serve(ctx) }, func(srv *grpcx.Server) {
		assert.Equal(t, len(srv.Health().Report().Checks), 0)
	})
}

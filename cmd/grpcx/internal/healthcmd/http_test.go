package healthcmd_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
)

// serveHTTP starts a web server, in plaintext when config is nil.
func serveHTTP(t *testing.T, config *tls.Config, protocols *http.Protocols) string {
	t.Helper()
	lis := listen(t)
	s := &http.Server{
		Handler: http.NotFoundHandler(), TLSConfig: config, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if config == nil {
			_ = s.Serve(lis)
		} else {
			_ = s.ServeTLS(lis, "", "")
		}
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return lis.Addr().String()
}

// A web server on the port, or a wrong port.
func TestWebServers(t *testing.T) {
	site := newSite(t)
	var http1, http2, h2c http.Protocols
	http1.SetHTTP1(true)
	http2.SetHTTP1(true)
	http2.SetHTTP2(true)
	h2c.SetHTTP1(true)
	h2c.SetUnencryptedHTTP2(true)
	secure := site.config(t, certtest.Server)
	for _, test := range []struct {
		name      string
		config    *tls.Config
		protocols *http.Protocols
		flags     []string
		code      int
		parts     []string
	}{
		{"HTTP/1", nil, &http1, nil, 5, []string{"speaks HTTP/1, not gRPC", "check the port"}},
		{"HTTP/1 asked for TLS", nil, &http1, []string{"--tls"}, 6, []string{"speaks HTTP/1 without TLS", "check the port"}},
		{"HTTPS asked in plaintext", secure, &http2, nil, 5, []string{"speaks TLS", "add --tls"}},
		{"HTTPS with HTTP/1 alone", secure, &http1, []string{"--ca", site.caFile}, 6, []string{"does not offer HTTP/2", "check that it is a gRPC server"}},
		{"HTTPS with HTTP/2", secure, &http2, []string{"--ca", site.caFile}, 3, []string{"no health service", "check the port"}},
		{"HTTP/2 in plaintext", nil, &h2c, nil, 3, []string{"no health service", "check the port"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := test.config
			if config != nil {
				config = config.Clone()
			}
			addr := serveHTTP(t, config, test.protocols)
			for _, flags := range [][]string{nil, {"--watch"}} {
				got := run(t, append(append([]string{addr}, flags...), test.flags...)...)
				got.wantError(t, test.code, test.parts...)
				assert.True(t, got.took.Seconds() < 5, got.took.String())
			}
		})
	}
}

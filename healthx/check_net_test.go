package healthx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// closedPort returns an address where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	return lis.Addr().String()
}

func TestTCP(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	check := healthx.TCP(lis.Addr().String())
	for range 2 {
		assert.NoError(t, check(t.Context()))
		conn, err := lis.Accept()
		assert.NoError(t, err)
		n, err := conn.Read(make([]byte, 1))
		assert.True(t, n == 0 && err != nil, "the check closes its connection and has sent nothing")
		assert.NoError(t, conn.Close())
	}

	addr := closedPort(t)
	err = healthx.TCP(addr)(t.Context())
	assert.ErrorContains(t, err, "tcp "+addr+": ", "; check that the dependency listens there")
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("got %T, want one that wraps *net.OpError", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, check(ctx), context.Canceled)
}

func TestTCPRefusesMistakes(t *testing.T) {
	for _, addr := range []string{"", "postgres", ":5432", "postgres:", "user:hunter2@postgres:5432", "hunter2@postgres:5432", "http://postgres:5432", "::1:5432"} {
		err := healthx.TCP(addr)(t.Context())
		assert.ErrorContains(t, err, "not host:port", "postgres:5432")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestHTTPStatus(t *testing.T) {
	followed := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var code int
		_, _ = fmt.Sscanf(req.URL.Path, "/%d", &code)
		if req.URL.Path == "/followed" {
			followed = true
		}
		w.Header().Set("Location", "/followed")
		w.WriteHeader(code)
	}))
	defer server.Close()
	for code, ok := range map[int]bool{200: true, 204: true, 299: true, 301: true, 302: true, 307: true, 399: true, 400: false, 401: false, 404: false, 500: false, 503: false, 599: false} {
		err := healthx.HTTP(fmt.Sprintf("%s/%d", server.URL, code))(t.Context())
		if ok {
			assert.NoError(t, err, fmt.Sprint(code))
			continue
		}
		assert.ErrorContains(t, err, fmt.Sprintf("GET %s/%d: status %s, not 200 to 399", server.URL, code, strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))))
	}
	assert.True(t, !followed, "a redirect must not be followed")
}

func TestHTTPShowsNoSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, password, _ := req.BasicAuth()
		if req.Method == http.MethodGet && user == "me" && password == "hunter2" && req.URL.Query().Get("token") == "hunter3" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	for _, addr := range []string{server.Listener.Addr().String(), closedPort(t)} {
		err := healthx.HTTP("http://me:hunter2@" + addr + "/a%2Fb?token=hunter3#hunter4")(t.Context())
		assert.ErrorContains(t, err, "GET http://"+addr+"/a%2Fb: ")
		assert.NotContains(t, err.Error(), "me:", "hunter")
		assert.Equal(t, addr == server.Listener.Addr().String(), errors.Unwrap(err) == nil)
	}
	for _, u := range []string{"", "payments:8443/hunter2", "//payments/hunter2", "ftp://hunter2@payments/", "http://", "http://:80/hunter2", "http:hunter2", "http://me:hunter2@:80", "http://me:hun%zzter2@payments/", "https://me:hunter2/@payments", " http://hunter2"} {
		err := healthx.HTTP(u)(t.Context())
		assert.ErrorContains(t, err, "not an absolute http or https URL", "https://payments:8443/readyz")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestHTTPBodyIsNotWaitedFor(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	assert.NoError(t, healthx.HTTP(server.URL)(t.Context()))
	<-ended // its connection is closed
}

func TestHTTPHonoursItsContext(t *testing.T) {
	entered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		close(entered)
		<-req.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	assert.ErrorIs(t, healthx.HTTP(server.URL)(ctx), context.Canceled)
}

func TestHTTPHugeHeaderIsRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 100<<10))
	}))
	defer server.Close()
	assert.ErrorContains(t, healthx.HTTP(server.URL)(t.Context()), "GET "+server.URL, "header")
}

func TestHTTPTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: roots}
	assert.NoError(t, healthx.HTTP(server.URL, healthx.HTTPTLSConfig(config))(t.Context()))

	err := healthx.HTTP(server.URL, nil, healthx.HTTPTLSConfig(nil))(t.Context())
	assert.ErrorContains(t, err, "GET "+server.URL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("got %v, want one that wraps *tls.CertificateVerificationError", err)
	}

	client := server.Client()
	assert.NoError(t, healthx.HTTP(server.URL, healthx.HTTPClient(client))(t.Context()))
	assert.True(t, client.CheckRedirect == nil, "the client stays as it was")
	assert.ErrorContains(t, healthx.HTTP(server.URL, healthx.HTTPClient(client), healthx.HTTPTLSConfig(config))(t.Context()),
		"HTTPTLSConfig and HTTPClient are both given", "transport")
	assert.Equal(t, fmt.Sprint(healthx.HTTPClient(client), healthx.HTTPTLSConfig(config)), "HTTPClient HTTPTLSConfig")
}

// TestHTTPKeepsNoConnection: not even with a client that would.
func TestHTTPKeepsNoConnection(t *testing.T) {
	closed := make(chan struct{}, 4)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	for _, opts := range [][]healthx.HTTPOption{nil, {healthx.HTTPClient(server.Client())}} {
		assert.NoError(t, healthx.HTTP(server.URL, opts...)(t.Context()))
		<-closed
	}
}

type pinger func(context.Context) error

func (p pinger) PingContext(ctx context.Context) error { return p(ctx) }

func TestPing(t *testing.T) {
	assert.NoError(t, healthx.Ping(pinger(healthy))(t.Context()))
	err := healthx.Ping(pinger(func(context.Context) error { return errDown }))(t.Context())
	assert.ErrorIs(t, err, errDown)
	assert.ErrorContains(t, err, "ping of healthx_test.pinger: connection refused; check")
	assert.ErrorContains(t, healthx.Ping(nil)(t.Context()), "the Pinger is nil", "*sql.DB")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, healthx.Ping(pinger(func(ctx context.Context) error { return ctx.Err() }))(ctx), context.Canceled)
}

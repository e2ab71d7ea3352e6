package grpcx_test

import (
	"context"
	"encoding/json"
	"expvar"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// page is the answer of the admin listener.
type page struct {
	code   int
	header http.Header
	body   string
}

// ask sends a request to the admin listener on a connection of its own; edit
// may change it.
func ask(t testing.TB, addr net.Addr, path string, edit func(*http.Request)) (page, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr.String()+path, nil)
	assert.NoError(t, err)
	if edit != nil {
		edit(req)
	}
	client := http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		Timeout:   childLimit,
	}
	res, err := client.Do(req)
	if err != nil {
		return page{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return page{res.StatusCode, res.Header, string(body)}, err
}

// get is ask for a page that must be there.
func get(t testing.TB, addr net.Addr, path string) page {
	t.Helper()
	p, err := ask(t, addr, path, nil)
	assert.NoError(t, err, path)
	return p
}

func withAdmin() grpcx.Option { return grpcx.WithAdminAddr("127.0.0.1:0") }

func TestAdminPages(t *testing.T) {
	srv := grpcxtest.New(t, withService(&service{}), withAdmin(), grpcx.WithCheck("db", ok),
		grpcx.WithDrain(grpcx.Drain{Timeout: 90 * time.Second}))
	addr := srv.AdminAddr()
	for path, parts := range map[string][]string{
		"/":                {"/livez\n/readyz\n/startupz\n/debug/pprof/\n/debug/vars\n/settings\n"},
		"/livez":           {"ok"},
		"/readyz":          {"ok"},
		"/readyz?verbose":  {"[+]db ok", "readyz check passed"},
		"/readyz/db":       {"ok"},
		"/startupz":        {"ok"},
		"/settings":        {`"timeout": "1m30s"`, `"checks": [`, `"/grpc.testing.TestService/EmptyCall"`, `"admin_addr": "` + addr.String() + `"`},
		"/debug/vars":      {`"memstats": {`},
		"/debug/pprof/":    {"goroutine", "heap", "profile", "trace"},
		"/debug/pprof":     {"goroutine"}, // redirected
		"//debug//pprof//": {"goroutine"},
	} {
		t.Run(path, func(t *testing.T) {
			p := get(t, addr, path)
			assert.Equal(t, p.code, http.StatusOK)
			assert.Contains(t, p.body, parts...)
			assert.Equal(t, p.header.Get("X-Content-Type-Options"), "nosniff")
			assert.Equal(t, p.header.Get("Cache-Control"), "no-store")
		})
	}
	for _, path := range []string{"/settings", "/debug/vars"} {
		p := get(t, addr, path)
		assert.True(t, json.Valid([]byte(p.body)), p.body)
		assert.Equal(t, p.header.Get("Content-Type"), "application/json; charset=utf-8")
	}
	for _, path := range []string{"/metrics", "/debug", "/debug/pprof/cmdline", "/debug/pprof/no.such", "/readyz/no-such"} {
		assert.Equal(t, get(t, addr, path).code, http.StatusNotFound, path)
	}
	head, err := ask(t, addr, "/readyz", func(r *http.Request) { r.Method = http.MethodHead })
	assert.NoError(t, err)
	assert.Equal(t, head.code, http.StatusOK)
	assert.Equal(t, head.body, "")

	_, err = client(srv).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err)
	assert.NoError(t, srv.Stop())
	_, err = net.Dial("tcp", addr.String())
	assert.True(t, err != nil, "the admin listener is closed with the server")
}

var publishNothing = sync.OnceFunc(func() { expvar.Publish("grpcx_test.nothing", nil) })

// No page has key material, or the command line.
func TestAdminPagesHoldNoSecret(t *testing.T) {
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	key, err := os.ReadFile(certs.ServerFiles().Key)
	assert.NoError(t, err)
	secretLine := strings.Split(string(key), "\n")[1]
	publishNothing()
	srv := grpcxtest.New(t, grpcx.WithTLSFiles(certs.ServerFiles()), withAdmin(),
		grpcx.WithAddr("127.0.0.1:0"))
	for _, path := range []string{"/settings", "/debug/vars", "/debug/pprof/goroutine?debug=2", "/readyz?verbose"} {
		p := get(t, srv.AdminAddr(), path)
		assert.Equal(t, p.code, http.StatusOK, path)
		assert.NotContains(t, p.body, secretLine, "PRIVATE KEY", "cmdline")
	}
	assert.Contains(t, get(t, srv.AdminAddr(), "/debug/vars").body, `"grpcx_test.nothing": null`)
	assert.Contains(t, get(t, srv.AdminAddr(), "/settings").body, "mutual tls", filepath.Base(certs.ServerFiles().Cert))
}

// A failing check is 500 on readiness, and nothing to liveness.
func TestAdminHealth(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin())
	assert.NoError(t, srv.Health().AddCheck("db", func(context.Context) error { return context.Canceled }, healthx.FailureThreshold(1)))
	waitFor(t, "not ready", func() bool { return get(t, srv.AdminAddr(), "/readyz").code == http.StatusInternalServerError })
	assert.Contains(t, get(t, srv.AdminAddr(), "/readyz").body, "[-]db failed: reason withheld")
	assert.Equal(t, get(t, srv.AdminAddr(), "/livez").code, http.StatusOK)
}

// In the delay of the drain, and until its end, the pages say: not ready, alive.
func TestAdminDuringTheDrain(t *testing.T) {
	var inHook []int
	var srv *grpcxtest.Server
	srv = grpcxtest.NewMTLS(t, withService(&service{}), withAdmin(),
		grpcx.WithDrain(grpcx.Drain{Delay: 2 * time.Second, Timeout: childLimit, Stop: childLimit}),
		grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			s.OnStop("look", func(context.Context) error {
				for _, path := range []string{"/readyz", "/livez"} {
					p, err := ask(t, srv.AdminAddr(), path, nil)
					if err != nil {
						return err
					}
					inHook = append(inHook, p.code)
				}
				return nil
			})
			return nil
		}))
	addr := srv.AdminAddr()
	assert.Equal(t, get(t, addr, "/readyz").code, http.StatusOK)
	var stopErr error
	stopped := background(func() { stopErr = srv.Stop() })
	waitFor(t, "not ready", func() bool { return get(t, addr, "/readyz").code == http.StatusInternalServerError })
	assert.Contains(t, get(t, addr, "/readyz").body, "[-]shutdown failed")
	assert.Equal(t, get(t, addr, "/livez").code, http.StatusOK)
	assert.Equal(t, get(t, addr, "/settings").code, http.StatusOK)
	_, err := client(srv).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err, "the delay serves calls")
	<-stopped
	assert.NoError(t, stopErr)
	assert.Equal(t, inHook, []int{http.StatusInternalServerError, http.StatusOK})
	_, err = net.Dial("tcp", addr.String())
	assert.True(t, err != nil, "the admin listener is closed")
}

func TestAdminListener(t *testing.T) {
	assert.True(t, grpcxtest.New(t).AdminAddr() == nil, "there is none by default")

	// Without a host it is loopback.
	var quietLog logBuffer
	srv := grpcxtest.New(t, grpcx.WithAdminAddr(":0"), quietLog.option())
	tcp, ok := srv.AdminAddr().(*net.TCPAddr)
	assert.True(t, ok && tcp.IP.IsLoopback(), srv.AdminAddr().String())
	assert.NotContains(t, quietLog.String(), "not on loopback")

	// An explicit host opens it, and is warned of.
	var log logBuffer
	open := grpcxtest.New(t, grpcx.WithAdminAddr("0.0.0.0:0"), log.option())
	waitFor(t, "the warning", func() bool { return len(log.lines("the admin listener is not on loopback")) == 1 })
	assert.NoError(t, open.Stop())

	socket := filepath.Join(t.TempDir(), "admin.sock")
	local := grpcxtest.New(t, grpcx.WithAdminAddr("unix:"+socket))
	assert.Equal(t, local.AdminAddr().String(), socket)
	conn, err := net.Dial("unix", socket)
	assert.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /livez HTTP/1.0\r\n\r\n")
	assert.NoError(t, err)
	answer, err := io.ReadAll(conn)
	assert.NoError(t, err)
	assert.Contains(t, string(answer), "200 OK")

	taken, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), grpcx.WithAdminAddr(srv.AdminAddr().String()))
	assert.NoError(t, err)
	err = taken.Serve(t.Context())
	assert.ErrorIs(t, err, errAddrInUse)
	assert.ErrorContains(t, err, srv.AdminAddr().String())
}

// A set-up that fails leaves no listener behind.
func TestAdminListenerIsClosedAfterAFailedStart(t *testing.T) {
	var server *grpcx.Server
	server, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), withAdmin(),
		grpcx.WithSetup(func(context.Context, *grpcx.Setup) error { return context.Canceled }))
	assert.NoError(t, err)
	assert.ErrorIs(t, server.Serve(t.Context()), context.Canceled)
	_, err = net.Dial("tcp", server.AdminAddr().String())
	assert.True(t, err != nil, "the admin listener is closed")
}

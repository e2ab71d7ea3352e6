package healthx_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// get sends a request to the handler and returns status and body.
func get(h http.Handler, target string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w.Code, w.Body.String()
}

func expectHTTP(t testing.TB, h http.Handler, target string, code int, body string) {
	t.Helper()
	gotCode, gotBody := get(h, target)
	assert.Equal(t, gotCode, code, target)
	assert.Equal(t, gotBody, body, target)
}

func TestHTTPFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "password=hunter2"
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		assert.NoError(t, r.AddCheck("postgres", healthy))
		assert.NoError(t, r.AddCheck("queue/orders", script(nil, errors.New(secret)), healthx.Jitter(0), healthx.FailureThreshold(1)))
		assert.NoError(t, r.AddCheck("cache", script(errors.New(secret)), healthx.Informational()))
		assert.NoError(t, r.AddCheck("late", healthy, healthx.Informational(), healthx.Services(""), healthx.InitialDelay(time.Hour)))
		assert.NoError(t, r.AddCheck("of a", script(errors.New(secret)), healthx.Services("a")))
		assert.NoError(t, r.AddCheck("of a, informational", healthy, healthx.Services("a"), healthx.Informational()))
		h := r.Handler()

		expectHTTP(t, h, "/livez", 500, "[-]running failed: reason withheld\n[+]switch ok\nlivez check failed\n")
		expectHTTP(t, h, "/readyz?exclude=running&exclude=postgres&exclude=queue/orders&verbose", 200, "[+]running excluded: ok\n[+]switch ok\n"+
			"[+]postgres excluded: ok\n[+]queue/orders excluded: ok\n[+]cache informational: pending\n[+]late informational: pending\n[+]shutdown ok\nreadyz check passed\n")
		stop := run(t, r)
		synctest.Wait()

		for _, target := range []string{"/livez", "/readyz", "/startupz", "/readyz?", "/readyz?exclude=nope", "/readyz?other=1", "/readyz?%zz&exclude=%zz",
			"/livez/running", "/livez/switch", "/readyz/running", "/readyz/switch", "/readyz/shutdown", "/readyz/postgres", "/readyz/queue/orders", "/readyz/queue%2Forders",
			"/startupz/running", "/startupz/postgres", "/startupz/shutdown"} {
			expectHTTP(t, h, target, 200, "ok")
		}
		const ready = "[+]running ok\n[+]switch ok\n[+]postgres ok\n[+]queue/orders ok\n[+]cache informational: failing\n[+]late informational: pending\n[+]shutdown ok\n"
		for _, target := range []string{"/readyz?verbose", "/readyz?verbose=", "/readyz?verbose=true", "/readyz?verbose=0", "/readyz?x=;&verbose"} {
			expectHTTP(t, h, target, 200, ready+"readyz check passed\n")
		}
		expectHTTP(t, h, "/livez?verbose", 200, "[+]running ok\n[+]switch ok\nlivez check passed\n")
		expectHTTP(t, h, "/startupz?verbose", 200, "[+]running ok\n[+]postgres ok\n[+]queue/orders ok\n[+]shutdown ok\nstartupz check passed\n")
		expectHTTP(t, h, "/readyz?verbose&exclude=b%0A%22&exclude=a&exclude=cache&exclude=a", 200,
			strings.Replace(ready, "[+]cache informational: failing", "[+]cache excluded: ok", 1)+
				`warn: some health checks cannot be excluded: no matches for "a","b\n\""`+"\nreadyz check passed\n")

		// A check by itself, whether or not it counts.
		expectHTTP(t, h, "/readyz/cache", 500, "internal server error: reason withheld\n")
		expectHTTP(t, h, "/readyz/late", 500, "internal server error: reason withheld\n")
		for _, target := range []string{"/", "/healthz", "/readyz/", "/readyz/nope", "/readyz/postgres/", "/readyz/of%20a", "/readyz/of%20a,%20informational",
			"/livez/postgres", "/livez/shutdown", "/startupz/switch", "/startupz/cache", "/Readyz", "//readyz", "/readyz//postgres", "/readyz/queue"} {
			expectHTTP(t, h, target, 404, "404 page not found\n")
		}

		time.Sleep(10 * time.Second)
		synctest.Wait()
		failed := strings.Replace(ready, "[+]queue/orders ok", "[-]queue/orders failed: reason withheld", 1)
		for _, target := range []string{"/readyz", "/readyz?verbose", "/readyz?exclude=%zzqueue/orders"} {
			expectHTTP(t, h, target, 500, failed+"readyz check failed\n")
		}
		expectHTTP(t, h, "/readyz/queue/orders", 500, "internal server error: reason withheld\n")
		expectHTTP(t, h, "/readyz/postgres", 200, "ok")
		expectHTTP(t, h, "/readyz?exclude=queue/orders", 200, "ok")
		expectHTTP(t, h, "/readyz?exclude=queue", 500, failed+`warn: some health checks cannot be excluded: no matches for "queue"`+"\nreadyz check failed\n")
		expectHTTP(t, h, "/livez", 200, "ok")
		expectHTTP(t, h, "/startupz", 200, "ok")
		stop()
	})
}

func TestHTTPWarningIsBounded(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	defer run(t, r)()
	<-r.Ready()
	query := "/readyz?verbose&exclude=" + strings.Repeat("a", 65)
	for c := 'b'; c <= 'l'; c++ {
		query += "&exclude=" + string(c)
	}
	expectHTTP(t, r.Handler(), query, 200, "[+]running ok\n[+]switch ok\n[+]shutdown ok\n"+
		`warn: some health checks cannot be excluded: no matches for "`+strings.Repeat("a", 64)+`","b","c","d","e","f","g","h","i","j" and 2 more`+"\nreadyz check passed\n")
}

func TestHTTPSwitchAndDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		assert.NoError(t, r.AddCheck("db", healthy))
		h := r.Handler()
		defer run(t, r)()
		synctest.Wait()
		assert.NoError(t, r.SetServing("", false))
		expectHTTP(t, h, "/readyz", 500, "[+]running ok\n[-]switch failed: reason withheld\n[+]db ok\n[+]shutdown ok\nreadyz check failed\n")
		expectHTTP(t, h, "/livez", 200, "ok")
		assert.NoError(t, r.SetServing("", true))
		assert.NoError(t, r.SetServing("liveness", false))
		expectHTTP(t, h, "/livez", 500, "[+]running ok\n[-]switch failed: reason withheld\nlivez check failed\n")
		expectHTTP(t, h, "/readyz", 200, "ok")
		assert.NoError(t, r.SetServing("liveness", true))

		r.Drain()
		for range 2 {
			expectHTTP(t, h, "/readyz", 500, "[+]running ok\n[+]switch ok\n[+]db ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n")
			expectHTTP(t, h, "/readyz/shutdown", 500, "internal server error: reason withheld\n")
			expectHTTP(t, h, "/readyz?exclude=shutdown", 200, "ok")
			expectHTTP(t, h, "/startupz", 500, "[+]running ok\n[+]db ok\n[-]shutdown failed: reason withheld\nstartupz check failed\n")
			expectHTTP(t, h, "/livez", 200, "ok")
			r.Close()
		}
	})
}

func TestHTTPHeadersAndMethods(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	server := httptest.NewServer(r.Handler())
	defer server.Close()
	defer run(t, r)()
	<-r.Ready()
	for _, tt := range []struct {
		method, path string
		code         int
		body         string
	}{
		{"GET", "/readyz", 200, "ok"},
		{"HEAD", "/readyz", 200, ""},
		{"GET", "/readyz/nope", 404, "404 page not found\n"},
		{"POST", "/readyz", 405, "method not allowed; use GET or HEAD\n"},
		{"DELETE", "/livez/running", 405, "method not allowed; use GET or HEAD\n"},
		{"OPTIONS", "/startupz?verbose", 405, "method not allowed; use GET or HEAD\n"},
		{"POST", "/nope", 404, "404 page not found\n"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, nil)
		assert.NoError(t, err)
		resp, err := server.Client().Do(req)
		assert.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, resp.StatusCode, tt.code, tt.method, tt.path)
		assert.Equal(t, string(body), tt.body)
		assert.Equal(t, resp.Header.Get("Content-Type"), "text/plain; charset=utf-8")
		assert.Equal(t, resp.Header.Get("X-Content-Type-Options"), "nosniff")
		assert.Equal(t, resp.Header.Get("Cache-Control"), "no-store")
		assert.Equal(t, resp.Header.Get("Allow"), map[bool]string{true: "GET, HEAD"}[tt.code == 405])
		if tt.method == "HEAD" {
			assert.Equal(t, resp.ContentLength, 2)
		}
	}
}

func TestHTTPOnAMux(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	assert.NoError(t, r.AddCheck("db", healthy))
	defer run(t, r)()
	<-r.Ready()
	mux := http.NewServeMux()
	mux.Handle("/readyz", r.Handler())
	mux.Handle("/readyz/", r.Handler())
	mux.Handle("/health/", http.StripPrefix("/health", r.Handler()))
	expectHTTP(t, mux, "/readyz", 200, "ok")
	expectHTTP(t, mux, "/readyz/db", 200, "ok")
	expectHTTP(t, mux, "/health/livez", 200, "ok")
	expectHTTP(t, mux, "/health/readyz/db", 200, "ok")
}

// TestStuckCheckLeavesProbesAlone: no time passes for a probe of either kind
// while a check hangs, within its timeout or beyond it.
func TestStuckCheckLeavesProbesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		assert.NoError(t, r.AddCheck("stuck", func(context.Context) error { <-release; return nil }))
		assert.NoError(t, r.AddCheck("panics", func(context.Context) error { panic("boom") }, healthx.Informational()))
		_, client := serve(t, r)
		h := r.Handler()
		stop := run(t, r)
		for range 3 {
			synctest.Wait()
			before := time.Now()
			expectHTTP(t, h, "/livez", 200, "ok")
			expectHTTP(t, h, "/readyz/stuck", 500, "internal server error: reason withheld\n")
			code, body := get(h, "/readyz")
			assert.Equal(t, code, 500)
			assert.Contains(t, body, "[-]stuck failed: reason withheld\n", "[+]panics informational: failing\n")
			for name, want := range map[string]bool{"": false, "a": false, "startup": false, "liveness": true} {
				resp, err := client.Check(t.Context(), request(name))
				assert.NoError(t, err)
				assert.Equal(t, resp.GetStatus() == serving, want, name)
			}
			assert.Equal(t, time.Since(before), 0)
			time.Sleep(4 * time.Second)
		}
		stop()
		close(release)
	})
}

func TestReservedCheckNames(t *testing.T) {
	for _, name := range []string{"running", "switch", "shutdown"} {
		err := healthx.NewRegistry(quiet).AddCheck(name, healthy)
		assert.ErrorContains(t, err, name, "HTTP probes", "name the dependency")
	}
	assert.NoError(t, healthx.NewRegistry(quiet).AddCheck("ping", healthy))
}

func TestHTTPProbeAllocations(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	assert.NoError(t, r.AddCheck("db", healthy))
	defer run(t, r)()
	<-r.Ready()
	h, req := r.Handler(), httptest.NewRequest(http.MethodGet, "/readyz", nil)
	w := &discard{header: http.Header{}}
	// One for the value of each header.
	assert.True(t, testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, req) }) <= 4)
	assert.Equal(t, w.code, 200)
}

// discard is a ResponseWriter that keeps nothing.
type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header               { return d.header }
func (d *discard) WriteHeader(code int)              { d.code = code }
func (d *discard) Write(p []byte) (int, error)       { return len(p), nil }
func (d *discard) WriteString(s string) (int, error) { return len(s), nil }

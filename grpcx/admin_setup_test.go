package grpcx_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "hello from "+r.URL.Path)
})

// withPage adds a page of the program.
func withPage(pattern string, h http.Handler) grpcx.Option {
	return grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		s.HandleAdmin(pattern, h)
		return nil
	})
}

func TestHandleAdmin(t *testing.T) {
	var log logBuffer
	srv := grpcxtest.New(t, withAdmin(), log.option(), withPage("/metrics", hello), withPage("/things/", hello), withPage("/users/{id}", hello),
		withPage("/crash", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })))
	addr := srv.AdminAddr()
	assert.Equal(t, get(t, addr, "/metrics").body, "hello from /metrics")
	assert.Equal(t, get(t, addr, "/things/a/b").body, "hello from /things/a/b")
	assert.Equal(t, get(t, addr, "/users/7").body, "hello from /users/7")
	assert.Contains(t, get(t, addr, "/").body, "/metrics\n/things/\n/users/{id}\n")
	p, err := ask(t, addr, "/metrics", func(r *http.Request) { r.Method = http.MethodPost })
	assert.NoError(t, err)
	assert.Equal(t, p.code, http.StatusMethodNotAllowed)

	_, err = ask(t, addr, "/crash", nil)
	assert.True(t, err != nil, "the request of a page that panics is cut off")
	waitFor(t, "the panic in the log", func() bool { return len(log.lines("boom")) == 1 })
	assert.Equal(t, get(t, addr, "/metrics").code, http.StatusOK)

	// Without an admin listener a page is nowhere, and no mistake.
	grpcxtest.New(t, withPage("/metrics", hello))
}

// A wrong page makes Serve fail, with or without an admin listener.
func TestHandleAdminMistakes(t *testing.T) {
	for _, test := range []struct {
		name    string
		pattern string
		handler http.Handler
		remedy  string
	}{
		{"empty", "", hello, "/metrics"},
		{"relative", "metrics", hello, "/metrics"},
		{"method", "GET /metrics", hello, "without method"},
		{"nil", "/metrics", nil, "pass one"},
		{"nil function", "/metrics", http.HandlerFunc(nil), "pass one"},
		{"ours", "/settings", hello, "choose another"},
		{"root", "/", hello, "choose another"},
		{"the list", "/{$}", hello, "choose another"},
		{"below ours", "/debug/pprof/{any}", hello, "choose another"},
		{"malformed", "/{", hello, "choose another"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, admin := range []grpcx.Option{withAdmin(), grpcx.Options()} {
				srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithListener(bufconn.Listen(1)), admin, withPage(test.pattern, test.handler))
				assert.NoError(t, err)
				err = srv.Serve(t.Context())
				want := "HandleAdmin"
				if test.pattern != "" {
					want += "." + test.pattern
				}
				assert.Equal(t, optionErrors(err), []string{want})
				assert.ErrorContains(t, err, test.remedy)
			}
		})
	}
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithListener(bufconn.Listen(1)), withPage("/a", hello), withPage("/a", hello))
	assert.NoError(t, err)
	assert.Equal(t, optionErrors(srv.Serve(t.Context())), []string{"HandleAdmin./a"})
}

// A page that comes late is refused and stops nothing.
func TestHandleAdminLate(t *testing.T) {
	var setup *grpcx.Setup
	srv := grpcxtest.New(t, withAdmin(), grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error { setup = s; return nil }))
	setup.HandleAdmin("/late", hello)
	assert.Equal(t, get(t, srv.AdminAddr(), "/late").code, http.StatusNotFound)
	assert.Equal(t, get(t, srv.AdminAddr(), "/readyz").code, http.StatusOK)
	assert.Equal(t, optionErrors(srv.Stop()), []string{"HandleAdmin./late"})
}

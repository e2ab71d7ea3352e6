package grpcx_test

import (
	"io"
	"net/http"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

const gzipMagic = "\x1f\x8b"

func TestAdminProfiles(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin())
	addr := srv.AdminAddr()
	for path, want := range map[string]string{
		"heap": gzipMagic, "heap?gc=1": gzipMagic, "allocs": gzipMagic, "goroutine": gzipMagic, "mutex?debug=0": gzipMagic,
		"goroutine?debug=1": "goroutine profile: total", "goroutine?debug=2": "goroutine ",
		"profile?seconds=0.2": gzipMagic, "trace?seconds=0.2": "go 1.",
	} {
		t.Run(path, func(t *testing.T) {
			p := get(t, addr, "/debug/pprof/"+path)
			assert.Equal(t, p.code, http.StatusOK, p.body)
			assert.True(t, strings.HasPrefix(p.body, want), "begins otherwise")
			if strings.Contains(path, "debug=1") || strings.Contains(path, "debug=2") {
				assert.Equal(t, p.header.Get("Content-Type"), "text/plain; charset=utf-8")
				return
			}
			name, _, _ := strings.Cut(path, "?")
			assert.Equal(t, p.header.Get("Content-Disposition"), `attachment; filename="`+name+`"`)
		})
	}
	for path, want := range map[string]string{
		"profile?seconds=x": "not a number", "profile?seconds=0": "not a number", "profile?seconds=-1": "not a number",
		"profile?seconds=61": "up to 60", "profile?seconds=NaN": "not a number", "profile?seconds=1e99": "up to 60",
		"trace?seconds=61": "up to 60", "heap?seconds=1": "-diff_base", "heap?debug=3": "not 0, 1 or 2", "heap?debug=x": "not 0, 1 or 2",
	} {
		p := get(t, addr, "/debug/pprof/"+path)
		assert.Equal(t, p.code, http.StatusBadRequest, path)
		assert.Contains(t, p.body, want)
		assert.Equal(t, p.header.Get("Content-Disposition"), "")
	}
}

// There is one CPU profile at a time in a process, and the second is told so.
func TestAdminProfileConflict(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin())
	assert.NoError(t, pprof.StartCPUProfile(io.Discard))
	p := get(t, srv.AdminAddr(), "/debug/pprof/profile?seconds=1")
	pprof.StopCPUProfile()
	assert.Equal(t, p.code, http.StatusConflict)
	assert.Contains(t, p.body, "being recorded already", "try again")
	assert.Equal(t, p.header.Get("Content-Disposition"), "")
	assert.Equal(t, get(t, srv.AdminAddr(), "/debug/pprof/profile?seconds=0.1").code, http.StatusOK)

	// To ask how it would be answered records nothing.
	begin := time.Now()
	p, err := ask(t, srv.AdminAddr(), "/debug/pprof/profile?seconds=60", func(r *http.Request) { r.Method = http.MethodHead })
	assert.NoError(t, err)
	assert.Equal(t, p.code, http.StatusOK)
	assert.True(t, time.Since(begin) < 30*time.Second)
}

package healthx_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// FuzzHandler: whatever is asked, the answer is of a known form, has neither
// the error of a check nor a line of the asker's making, and is not long.
func FuzzHandler(f *testing.F) {
	results := make(chan struct{}, 16)
	r := healthx.NewRegistry(quiet, healthx.WithObserver(func(e healthx.Event) {
		if _, ok := e.(healthx.CheckDone); ok {
			results <- struct{}{}
		}
	}))
	bad := func(context.Context) error { return errors.New("hunter2") }
	assert.NoError(f, r.AddCheck("good", healthy, healthx.Interval(time.Hour)))
	assert.NoError(f, r.AddCheck("bad", bad, healthx.Interval(time.Hour)))
	assert.NoError(f, r.AddCheck("info", bad, healthx.Interval(time.Hour), healthx.Informational()))
	f.Cleanup(run(f, r))
	for range 3 {
		<-results
	}
	h := r.Handler()

	for _, path := range []string{"/livez", "/readyz", "/startupz", "/readyz/good", "/readyz/bad", "/livez/running", "", "/", "//", "readyz", "/readyz/../livez"} {
		f.Add("GET", path, "")
	}
	for _, query := range []string{"verbose", "verbose&exclude=bad", "exclude=bad&exclude=good&exclude=nope", "exclude=%zz", "exclude=a%0A[%2B]x ok", "exclude=;", "&&&=", strings.Repeat("exclude=%F3%A0%81%81&exclude="+strings.Repeat("y", 99)+"&", 50)} {
		f.Add("GET", "/readyz", query)
		f.Add("HEAD", "/livez", query)
	}
	f.Add("POST", "/readyz", "verbose")

	listed := regexp.MustCompile(`^(\[\+\](running|switch|good|bad|info|shutdown) (ok|excluded: ok)|\[\+\]info informational: failing|` +
		`\[-\]bad failed: reason withheld|warn: some health checks cannot be excluded: no matches for ".*|(livez|readyz|startupz) check (passed|failed))$`)
	f.Fuzz(func(t *testing.T, method, path, query string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}})
		body := w.Body.String()
		assert.Equal(t, w.Header().Get("X-Content-Type-Options"), "nosniff")
		if method == http.MethodHead {
			assert.Equal(t, body, "")
			return
		}
		assert.Equal(t, w.Header().Get("Content-Length"), strconv.Itoa(len(body)))
		assert.NotContains(t, body, "hunter2")
		assert.True(t, len(body) < 9<<10, "long")
		switch w.Code {
		case http.StatusNotFound:
			assert.Equal(t, body, "404 page not found\n")
			return
		case http.StatusMethodNotAllowed:
			assert.True(t, method != http.MethodGet)
			return
		case http.StatusOK, http.StatusInternalServerError:
		default:
			t.Fatalf("status %d", w.Code)
		}
		assert.Equal(t, method, http.MethodGet)
		if body == "ok" {
			assert.Equal(t, w.Code, http.StatusOK)
			return
		}
		if body == "internal server error: reason withheld\n" {
			assert.Equal(t, w.Code, http.StatusInternalServerError)
			return
		}
		failed := false
		for line := range strings.Lines(body) {
			line = strings.TrimSuffix(line, "\n")
			assert.True(t, listed.MatchString(line), line)
			failed = failed || strings.HasPrefix(line, "[-]")
		}
		assert.Equal(t, failed, w.Code == http.StatusInternalServerError)
	})
}

// TestHTTPAgreesWithGRPC drives a registry at random: the two kinds of probes
// may never differ, for they are one status.
func TestHTTPAgreesWithGRPC(t *testing.T) {
	endpoints := map[string]string{"/livez": "liveness", "/readyz": "readiness", "/startupz": "startup"}
	seen := make(map[string]bool)
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			r := healthx.NewRegistry(quiet)
			h := r.Handler()
			var stop func()
			for step := range 60 {
				switch n := random.IntN(20); {
				case n < 4:
					opts := []healthx.CheckOption{healthx.Interval(time.Second), healthx.FailureThreshold(1 + random.IntN(2)), healthx.InitialDelay(time.Duration(random.IntN(3)) * time.Second)}
					switch random.IntN(4) {
					case 0:
						opts = append(opts, healthx.Informational())
					case 1:
						opts = append(opts, healthx.Services("a"))
					}
					outcomes := random.Uint64()
					assert.NoError(t, r.AddCheck(strconv.Itoa(step), func(context.Context) error {
						outcomes = outcomes>>1 | outcomes<<63
						if outcomes&3 == 0 {
							return errDown
						}
						return nil
					}, opts...))
				case n < 6:
					assert.NoError(t, r.SetServing([]string{"", "liveness"}[random.IntN(2)], random.IntN(3) > 0))
				case n == 6 && stop == nil:
					stop = run(t, r)
				case n == 7 && step > 50:
					r.Drain()
				default:
					time.Sleep(time.Second / 2)
				}
				synctest.Wait()
				for path, name := range endpoints {
					status, _ := r.Status(name)
					want := map[bool]int{true: 200, false: 500}[status == healthx.Serving]
					for _, query := range []string{"", "?verbose"} {
						code, body := get(h, path+query)
						assert.Equal(t, code, want, path, body)
					}
					seen[path+strconv.Itoa(want)] = true
				}
			}
			if stop != nil {
				stop()
			}
		})
	}
	assert.Equal(t, len(seen), 6, "every endpoint has been up and down")
}

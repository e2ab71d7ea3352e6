package healthx

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Lines of a verbose HTTP probe that belong to no check.
const (
	lineRunning  = "running"  // Run has been called
	lineSwitch   = "switch"   // SetServing has not switched the entry off
	lineShutdown = "shutdown" // the drain has not begun
)

func reserved(check string) bool {
	return check == lineRunning || check == lineSwitch || check == lineShutdown
}

// Handler returns the HTTP probes, for any mux: /livez, /readyz and /startupz
// answer for [Liveness], [Readiness] and [Startup], as gRPC probes do, in the
// format of kube-apiserver.
//
//   - 200 "ok" where the entry serves. ?verbose lists the checks behind it.
//   - 500 with that list where it does not. The error of a check is withheld:
//     it is in the log and in [Registry.Report].
//   - ?exclude=name, which may be repeated, leaves a check out. A name that is
//     not in the list only gives a warning there.
//   - /readyz/name and so on answer for one line of the list, also for a check
//     that is [Informational], which the list shows and does not count.
//
// Beside the checks the list has "running" (Run has been called), "switch"
// (see [Registry.SetServing]) and, but for /livez, "shutdown" (the drain has
// not begun). A probe runs no check and does not wait for one. GET and HEAD
// only; any other path is 404. Answers are text, never cached.
//
//	mux.Handle("/livez", health.Handler())
//	mux.Handle("/readyz", health.Handler())
//	mux.Handle("/readyz/", health.Handler()) // the paths of single checks
func (r *Registry) Handler() http.Handler { return &httpProbes{r} }

type httpProbes struct{ r *Registry }

func (p *httpProbes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	code, body := p.answer(h, req)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	if req.Method != http.MethodHead {
		_, _ = io.WriteString(w, body) //nolint:gosec // text/plain, with nosniff
	}
}

func (p *httpProbes) answer(h http.Header, req *http.Request) (code int, body string) {
	endpoint, check, single := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	name, ok := endpointEntry(endpoint)
	if !ok {
		return http.StatusNotFound, "404 page not found\n"
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		return http.StatusMethodNotAllowed, "method not allowed; use GET or HEAD\n"
	}
	if single {
		return p.single(name, check)
	}
	if req.URL.RawQuery == "" && p.r.snap.Load().nodes[name].status == Serving {
		return http.StatusOK, "ok"
	}
	// As in kube-apiserver, what can be read of a malformed query counts.
	query, _ := url.ParseQuery(req.URL.RawQuery)
	list := verbose(endpoint, p.r.lines(name), query["exclude"])
	switch {
	case list.failed:
		return http.StatusInternalServerError, list.text
	case query.Has("verbose"):
		return http.StatusOK, list.text
	}
	return http.StatusOK, "ok"
}

func (p *httpProbes) single(name, check string) (code int, body string) {
	for _, l := range p.r.lines(name) {
		switch {
		case l.name != check:
		case l.ok:
			return http.StatusOK, "ok"
		default:
			return http.StatusInternalServerError, "internal server error: reason withheld\n"
		}
	}
	return http.StatusNotFound, "404 page not found\n"
}

func endpointEntry(endpoint string) (name string, ok bool) {
	switch endpoint {
	case "livez":
		return Liveness, true
	case "readyz":
		return Readiness, true
	case "startupz":
		return Startup, true
	}
	return "", false
}

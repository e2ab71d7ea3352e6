package grpcx

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// adminPages routes the requests of the admin listener.
type adminPages struct {
	mux   *http.ServeMux
	host  string   // that WithAdminAddr names, in lower case; empty for none
	paths []string // in the order added; fixed once the server serves
}

func newAdminPages(s *Server) *adminPages {
	p := &adminPages{mux: http.NewServeMux()}
	if host, _, err := net.SplitHostPort(s.cfg.adminAddr); err == nil {
		p.host = strings.ToLower(host)
	}
	p.mux.HandleFunc("/{$}", p.list)
	p.mux.HandleFunc("/", notFound)
	health := s.health.Handler()
	for _, path := range []string{"/livez", "/readyz", "/startupz"} {
		p.handle(path, health)
		p.mux.Handle(path+"/", health) // single checks
	}
	p.mux.HandleFunc("/debug/pprof/{name}", namedProfile)
	p.mux.HandleFunc("/debug/pprof/profile", cpuProfile)
	p.mux.HandleFunc("/debug/pprof/trace", executionTrace)
	p.mux.HandleFunc("/debug/pprof/{$}", listProfiles)
	p.paths = append(p.paths, "/debug/pprof/")
	p.handle("/debug/vars", http.HandlerFunc(listVars))
	p.handle("/settings", settingsPage(s))
	return p
}

func (p *adminPages) handle(path string, h http.Handler) {
	p.mux.Handle(path, h)
	p.paths = append(p.paths, path)
}

// handleAdmin adds a page before the server serves, and refuses it later.
func (s *Server) handleAdmin(pattern string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase > phaseStarting {
		err := optionErrorf("HandleAdmin", pattern, "the server is serving already; add pages in the set-up hook")
		s.late = append(s.late, err)
		s.logger().Error("grpcx: page refused", slog.Any("error", err))
		return
	}
	if err := s.pages.add(pattern, h); err != nil {
		s.problems = append(s.problems, err)
	}
}

// add adds a page of the program. What http.ServeMux refuses by panicking
// becomes an error.
func (p *adminPages) add(pattern string, h http.Handler) (err error) {
	switch {
	case !strings.HasPrefix(pattern, "/"):
		return optionErrorf("HandleAdmin", pattern, "the pattern is not a path; write one such as /metrics, without method and host")
	case isNil(h):
		return optionErrorf("HandleAdmin", pattern, "the handler is nil; pass one")
	case pattern == "/" || slices.Contains(p.paths, pattern):
		return optionErrorf("HandleAdmin", pattern, "the path is taken; choose another")
	}
	defer func() {
		if v := recover(); v != nil {
			err = optionErrorf("HandleAdmin", pattern, "net/http refuses the pattern: %v; choose another", v)
		}
	}()
	p.handle(pattern, h)
	return nil
}

// ServeHTTP refuses what no operator sends and has the page serve the rest.
func (p *adminPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
	case !p.serves(r.Host):
		http.Error(w, "this host is not served here; ask for an IP address, for localhost or for the host that WithAdminAddr names", http.StatusMisdirectedRequest)
	default:
		p.mux.ServeHTTP(w, r)
	}
}

// serves reports whether a request may name this host. An address cannot be a
// rebound name, and no browser leaves the host out.
func (p *adminPages) serves(host string) bool {
	if host == "" {
		return true
	}
	name := strings.TrimSuffix(strings.ToLower((&url.URL{Host: host}).Hostname()), ".")
	if name == "localhost" || name == p.host && name != "" {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

func (p *adminPages) list(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, path := range p.paths {
		_, _ = fmt.Fprintln(w, path)
	}
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "there is no such page; / lists those there are", http.StatusNotFound)
}

package healthx

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// line is one line of the list that an HTTP probe shows.
type line struct {
	name  string
	ok    bool
	state CheckState // of a check that is shown and does not count
	shown bool       // only shown
}

// lines returns what decides the entry of that name. It serves exactly when
// every line that counts is ok.
func (r *Registry) lines(name string) []line {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[name]
	all := make([]line, 0, len(r.checks)+3)
	all = append(all, line{name: lineRunning, ok: r.runCtx != nil})
	if name != Startup {
		all = append(all, line{name: lineSwitch, ok: !e.off})
	}
	for _, c := range r.checks {
		switch r.verdict(c, e) {
		case verdictOK:
			all = append(all, line{name: c.name, ok: true})
		case verdictWaiting, verdictFailing:
			all = append(all, line{name: c.name})
		case verdictNone:
			if c.config.informational && c.concerns(name) {
				all = append(all, line{name: c.name, ok: c.state == CheckPassing, state: c.state, shown: true})
			}
		}
	}
	if name != Liveness {
		all = append(all, line{name: lineShutdown, ok: !r.draining})
	}
	return all
}

// list is the text that kube-apiserver shows.
type list struct {
	text   string
	failed bool
}

func verbose(endpoint string, lines []line, exclude []string) list {
	excluded := make(map[string]bool, len(exclude)) // true once matched
	for _, name := range exclude {
		excluded[name] = false
	}
	var b strings.Builder
	failed := false
	for _, l := range lines {
		_, out := excluded[l.name]
		switch {
		case out:
			excluded[l.name] = true
			fmt.Fprintf(&b, "[+]%s excluded: ok\n", l.name)
		case l.ok:
			fmt.Fprintf(&b, "[+]%s ok\n", l.name)
		case l.shown:
			fmt.Fprintf(&b, "[+]%s informational: %v\n", l.name, l.state)
		default:
			failed = true
			fmt.Fprintf(&b, "[-]%s failed: reason withheld\n", l.name)
		}
	}
	maps.DeleteFunc(excluded, func(_ string, matched bool) bool { return matched })
	if len(excluded) > 0 {
		fmt.Fprintf(&b, "warn: some health checks cannot be excluded: no matches for %s\n", quoted(slices.Sorted(maps.Keys(excluded))))
	}
	if failed {
		fmt.Fprintf(&b, "%s check failed\n", endpoint)
	} else {
		fmt.Fprintf(&b, "%s check passed\n", endpoint)
	}
	return list{b.String(), failed}
}

// quoted shows names that came with a request, so not all of many or long ones.
func quoted(names []string) string {
	const most, length = 10, 64
	more := len(names) - most
	texts := make([]string, 0, most)
	for _, name := range names[:min(len(names), most)] {
		texts = append(texts, fmt.Sprintf("%.*q", length, name))
	}
	text := strings.Join(texts, ",")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

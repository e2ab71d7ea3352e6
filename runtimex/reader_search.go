package runtimex

import (
	"bytes"
	"io/fs"
	"strings"

	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

// maxSearch bounds the groups that one search looks into.
const maxSearch = 1024

// search finds the directory of a group below mounts whose root lies outside
// of the cgroup namespace: a mount that was there before the process entered
// the namespace is at "/../..", and what leads from there to "/" has no name in
// /proc/self/cgroup. How many names are missing is known, and the group is the
// one that lists this process.
func (r *reader) search(m parse.Membership, controller string, mounts []parse.Mount) (place, bool) {
	if r.reads < r.searchAfter {
		return place{}, false
	}
	up, rest := climb(m.Path)
	if _, clean := below(rest, "/"); !clean {
		return place{}, false
	}
	pid := r.pid()
	if pid == nil {
		return place{}, false
	}
	budget := maxSearch
	for _, mount := range mounts {
		top, named := climb(mount.Root)
		if !shows(mount, m, controller) || named != "/" || top <= up {
			continue
		}
		if rel, ok := r.descend(mount.Point, "", top-up, strings.TrimSuffix(rest, "/"), pid, &budget); ok {
			return place{mount.Point, rel}, true
		}
	}
	r.searchAfter = r.reads + refreshAfter // it costs too much for every read
	return place{}, false
}

// climb splits a path into how many ".." it begins with and the rest.
func climb(path string) (up int, rest string) {
	for path == "/.." || strings.HasPrefix(path, "/../") {
		up, path = up+1, path[len("/.."):]
	}
	if path == "" {
		path = "/"
	}
	return up, path
}

// descend looks depth levels below point+rel for a directory that has the
// group rest, with the process pid in it.
func (r *reader) descend(point, rel string, depth int, rest string, pid []byte, budget *int) (string, bool) {
	if *budget--; *budget < 0 {
		return "", false
	}
	if depth == 0 {
		rel += rest
		// A group whose list cannot be read, as that of a threaded one, is
		// passed over: if it is ours, the caller reports that nothing was found.
		procs, _ := r.peek(dirName(place{point, rel}.dir()) + "/cgroup.procs")
		for line := range bytes.Lines(procs) {
			if number, complete := bytes.CutSuffix(line, []byte{'\n'}); complete && bytes.Equal(number, pid) {
				return rel, true
			}
		}
		return "", false
	}
	entries, err := fs.ReadDir(r.fsys, dirName(place{point, rel}.dir()))
	if err != nil {
		return "", false
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if found, ok := r.descend(point, rel+"/"+entry.Name(), depth-1, rest, pid, budget); ok {
			return found, true
		}
	}
	return "", false
}

// pid returns the number of this process in its own PID namespace, which is
// what cgroup.procs shows it: the last of NSpid in /proc/self/status.
func (r *reader) pid() []byte {
	status, _ := r.peek("proc/self/status")
	for line := range bytes.Lines(status) {
		if ids, found := bytes.CutPrefix(line, []byte("NSpid:")); found {
			if fields := bytes.Fields(ids); len(fields) > 0 {
				return bytes.Clone(fields[len(fields)-1])
			}
		}
	}
	return nil
}

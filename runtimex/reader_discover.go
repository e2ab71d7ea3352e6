package runtimex

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

// maxLevels bounds the files that are kept open.
const maxLevels = 64

// leaves are the directories of the process's own groups, without the slash in
// front; empty where there is none.
type leaves struct{ cpu, memory, v2 string }

// discover finds the groups of r.member. It keeps what is open already where
// that is still wanted, so that a process that ran out of file descriptors
// goes on with what it has.
func (r *reader) discover(moved bool) {
	r.problems = r.problems[:0]
	if moved {
		r.searchAfter = 0
	}
	r.machine.read(r)
	const info = "/proc/self/mountinfo"
	data, err := r.peek(info[1:])
	if err != nil && len(r.member) > 0 {
		r.problem(info, err)
		if moved {
			r.leaves = leaves{}
			r.keep(nil)
		}
		return
	}
	mounts, err := parse.Mounts(data)
	if len(r.member) > 0 { // in no group no mount is needed
		r.problem(info, err)
	}
	members, err := parse.Cgroup(r.member)
	r.problem(r.membership.path(), err)
	r.keep(r.find(members, mounts))
	if cap(r.buf) > maxBuffer {
		r.buf = newBuffer() // mountinfo was long, what is read next is not
	}
}

// keep makes groups those of the reader, with what was open already.
func (r *reader) keep(groups []*group) {
	for i, g := range groups {
		if j := slices.IndexFunc(r.groups, g.same); j >= 0 {
			old := r.groups[j]
			r.groups = slices.Delete(r.groups, j, j+1)
			old.covered = g.covered
			groups[i] = old
		}
	}
	// A leaf that was kept is another object than its ancestors point at.
	for _, g := range groups {
		if g.covered != nil {
			g.covered = groups[slices.IndexFunc(groups, g.covered.same)]
		}
	}
	for _, g := range r.groups {
		g.close()
	}
	r.groups = groups
}

func (r *reader) problem(path string, err error) {
	if err != nil {
		r.problems = append(r.problems, &FileError{path, err})
	}
}

// find lists the levels of the hierarchies that hold the controllers: that of
// v1 where the controller is bound to one, otherwise v2 (cgroups(7)).
func (r *reader) find(members []parse.Membership, mounts []parse.Mount) []*group {
	r.leaves = leaves{}
	cpu, v1cpu := hierarchyOf(members, "cpu")
	memory, v1memory := hierarchyOf(members, "memory")
	v2 := slices.IndexFunc(members, parse.Membership.V2)

	var groups []*group
	if cpu >= 0 {
		var found []*group
		found, r.leaves.cpu = r.locate(members[cpu], "cpu", mounts, true, memory == cpu)
		groups = append(groups, found...)
	}
	if memory == cpu {
		r.leaves.memory = r.leaves.cpu
	}
	if memory >= 0 && memory != cpu {
		var found []*group
		found, r.leaves.memory = r.locate(members[memory], "memory", mounts, false, true)
		groups = append(groups, found...)
	}
	switch {
	case v2 < 0:
	case !v1cpu:
		r.leaves.v2 = r.leaves.cpu
	case !v1memory:
		r.leaves.v2 = r.leaves.memory
	default:
		// Only for pressure, so what goes wrong is none of the limits.
		if at, ok := r.place(members[v2], "", mounts); ok {
			r.leaves.v2 = dirName(at.dir())
		}
	}
	return groups
}

// hierarchyOf returns the index of the hierarchy of a controller, -1 for none.
func hierarchyOf(members []parse.Membership, controller string) (index int, v1 bool) {
	index = slices.IndexFunc(members, func(m parse.Membership) bool { return m.Has(controller) })
	if index >= 0 {
		return index, true
	}
	return slices.IndexFunc(members, parse.Membership.V2), false
}

// locate lists the levels of one hierarchy, leaf first, and names the leaf.
func (r *reader) locate(m parse.Membership, controller string, mounts []parse.Mount, cpu, memory bool) ([]*group, string) {
	at, ok := r.place(m, controller, mounts)
	if !ok {
		r.problem("/proc/self/mountinfo", unreachable(m, controller, mounts))
		return nil, ""
	}
	version := 1
	if m.V2() {
		version = 2
	}
	leafDir := dirName(at.dir())
	var groups []*group
	for path := m.Path; ; {
		if len(groups) == maxLevels {
			r.problem(at.dir(), fmt.Errorf("deeper than %d levels: what is above is not read", maxLevels))
			break
		}
		var leaf *group
		if len(groups) > 0 {
			leaf = groups[0]
		}
		groups = append(groups, newGroup(Level{Version: version, Path: path, Dir: at.dir()}, cpu, memory, leaf))
		if at.rel == "" {
			break
		}
		at.rel = at.rel[:strings.LastIndexByte(at.rel, '/')]
		path = parent(path)
	}
	return groups, leafDir
}

// parent is the group above path, which may lie outside of the namespace.
func parent(path string) string {
	if path == "/" {
		return "/.."
	}
	if strings.HasSuffix(path, "/..") {
		return path + "/.."
	}
	if path = path[:strings.LastIndexByte(path, '/')]; path == "" {
		return "/"
	}
	return path
}

// place is where a group is: rel, empty or beginning with "/", below a mount
// point.
type place struct{ point, rel string }

func (p place) dir() string {
	if p.point == "/" && p.rel != "" {
		return p.rel
	}
	return p.point + p.rel
}

// place finds the directory of a group. Of several mounts that show it the one
// that shows most of its ancestors counts.
func (r *reader) place(m parse.Membership, controller string, mounts []parse.Mount) (place, bool) {
	var candidates []place
	for _, mount := range mounts {
		if !shows(mount, m, controller) {
			continue
		}
		if rel, ok := below(m.Path, mount.Root); ok {
			candidates = append(candidates, place{mount.Point, rel})
		}
	}
	slices.SortStableFunc(candidates, func(a, b place) int {
		return strings.Count(b.rel, "/") - strings.Count(a.rel, "/")
	})
	for _, p := range candidates {
		// A directory that exists but may not be looked at is an error of the
		// files in it.
		if _, err := fs.Stat(r.fsys, dirName(p.dir())); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return p, true
		}
	}
	return r.search(m, controller, mounts)
}

func shows(mount parse.Mount, m parse.Membership, controller string) bool {
	if m.V2() {
		return mount.Version == 2
	}
	return mount.Has(controller)
}

// below returns path relative to root, at the boundary of a name. It fails
// where the way to it would lead through "..": the mount does not show it.
func below(path, root string) (rel string, ok bool) {
	if root == "/" {
		rel = strings.TrimSuffix(path, "/")
	} else {
		rel, ok = strings.CutPrefix(path, root)
		if !ok {
			return "", false
		}
	}
	if rel == "" {
		return "", true
	}
	if rel[0] != '/' {
		return "", false
	}
	for name := range strings.SplitSeq(rel[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return "", false
		}
	}
	return rel, true
}

// dirName is an absolute directory as fs.FS spells it.
func dirName(dir string) string {
	if name := strings.TrimPrefix(dir, "/"); name != "" {
		return name
	}
	return "."
}

// unreachable explains why no mount shows the group.
func unreachable(m parse.Membership, controller string, mounts []parse.Mount) error {
	what := "cgroup v2"
	if !m.V2() {
		what = "cgroup v1 controller " + controller
	}
	var seen []string
	for _, mount := range mounts {
		if shows(mount, m, controller) {
			seen = append(seen, fmt.Sprintf("%q showing %q", mount.Point, mount.Root))
		}
	}
	have := "it is not mounted"
	if len(seen) > 0 {
		have = "it is mounted at " + strings.Join(seen, " and ")
	}
	return fmt.Errorf("%w: the group of this process for %s is %q, but %s: mount the cgroup file system inside the "+
		"container's own cgroup namespace, or set GOMAXPROCS and GOMEMLIMIT", ErrUnreachable, what, m.Path, have)
}

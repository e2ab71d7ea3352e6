package parse

import (
	"bytes"
	"slices"
	"strings"
)

// Membership is one line of /proc/self/cgroup: the group of the process in one
// hierarchy.
type Membership struct {
	// ID is the number of the hierarchy; 0 is that of cgroup v2.
	ID uint64
	// Controllers are those of a v1 hierarchy, such as "cpu" and "cpuacct", or
	// a name such as "name=systemd"; none with v2.
	Controllers []string
	// Path begins with "/" and is literal: the kernel escapes nothing. It may
	// begin with "/.." where the group lies outside the cgroup namespace, and
	// end with " (deleted)" where the group was removed.
	Path string
}

// V2 says whether the hierarchy is that of cgroup v2.
func (m Membership) V2() bool { return m.ID == 0 }

// Has says whether it is a v1 hierarchy with the controller.
func (m Membership) Has(controller string) bool {
	return !m.V2() && slices.Contains(m.Controllers, controller)
}

// Cgroup reads /proc/self/cgroup, lines of "<id>:<controllers>:<path>". It
// returns the well-formed lines, and the first error of the others.
//
// https://man7.org/linux/man-pages/man7/cgroups.7.html
func Cgroup(data []byte) ([]Membership, error) {
	var all []Membership
	var first error
	for len(data) > 0 {
		line, rest, complete := bytes.Cut(data, newline)
		m, ok := membership(string(line))
		switch {
		case complete && ok:
			all = append(all, m)
		case first == nil:
			first = malformed(line, `lines of "<id>:<controllers>:/<path>", each with a newline`)
		}
		data = rest
	}
	return all, first
}

func membership(line string) (Membership, bool) {
	id, rest, found := strings.Cut(line, ":")
	number, ok := unsigned([]byte(id))
	// The path may hold colons, controllers cannot; a hierarchy's name may
	// not either, since the kernel allows it word characters, "." and "-".
	controllers, path, found2 := strings.Cut(rest, ":")
	if !found || !found2 || !ok || !strings.HasPrefix(path, "/") {
		return Membership{}, false
	}
	m := Membership{ID: number, Path: path}
	if controllers != "" {
		m.Controllers = strings.Split(controllers, ",")
	}
	// A hierarchy of v2 names no controllers, one of v1 always names some.
	return m, m.V2() == (controllers == "")
}

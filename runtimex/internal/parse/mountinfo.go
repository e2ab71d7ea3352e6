package parse

import (
	"bytes"
	"slices"
	"strings"
)

// Mount is a mounted cgroup file system.
type Mount struct {
	// Version is 1 for type cgroup, 2 for cgroup2.
	Version int
	// Controllers are the options of a v1 mount, among them its controllers.
	Controllers []string
	// Root is the group that the mount shows at Point, relative to the cgroup
	// namespace; it begins with "/.." where it lies outside of it.
	Root string
	// Point is where it is mounted.
	Point string
}

// Has says whether it is a mount of a v1 hierarchy with the controller.
func (m Mount) Has(controller string) bool {
	return m.Version == 1 && slices.Contains(m.Controllers, controller)
}

// Mounts reads the cgroup mounts from /proc/self/mountinfo, in its order. One
// that a later mount at the same point covers is left out: what is there now is
// something else. It returns the well-formed lines, and the first error of the
// others.
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	(1)(2)(3)   (4)   (5)      (6)      (7)   (8) (9)   (10)         (11)
//
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func Mounts(data []byte) ([]Mount, error) {
	var all []Mount
	var first error
	for len(data) > 0 {
		line, rest, complete := bytes.Cut(data, newline)
		m, ok := mount(string(line))
		switch {
		case complete && ok:
			all = slices.DeleteFunc(all, func(lower Mount) bool { return lower.Point == m.Point })
			if m.Version != 0 {
				all = append(all, m)
			}
		case first == nil:
			first = malformed(line, "a line of mountinfo and a newline")
		}
		data = rest
	}
	return all, first
}

// mount reads one line. Its version is 0 where it is no cgroup file system.
func mount(line string) (m Mount, ok bool) {
	// Fields are separated by single spaces and may be empty, as the source
	// of a mount may be.
	fields := strings.Split(line, " ")
	const optional = 6 // the index of the first optional field, or of the dash
	if len(fields) < optional {
		return m, false
	}
	dash := slices.Index(fields[optional:], "-")
	if dash < 0 {
		return m, false
	}
	m.Point, ok = unescape(fields[4])
	if !ok || !strings.HasPrefix(m.Point, "/") {
		return m, false
	}
	tail := fields[optional+dash+1:] // type, source, super options
	switch {
	case len(tail) > 0 && tail[0] == "cgroup2":
		m.Version = 2
	case len(tail) > 0 && tail[0] == "cgroup":
		m.Version = 1
	default:
		return m, len(tail) > 0 // the rest is in the format of its file system
	}
	if len(tail) != 3 {
		return m, false
	}
	if m.Version == 1 {
		m.Controllers = strings.Split(tail[2], ",")
	}
	m.Root, ok = unescape(fields[3])
	return m, ok && strings.HasPrefix(m.Root, "/")
}

// unescape undoes the kernel's show_path, which writes space, tab, newline and
// backslash as a backslash and three octal digits.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 >= len(s) {
			return "", false
		}
		n := 0
		for _, c := range s[i+1 : i+4] {
			if c < '0' || c > '7' {
				return "", false
			}
			n = n<<3 | int(c-'0')
		}
		if n > 0xff {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 3
	}
	return b.String(), true
}

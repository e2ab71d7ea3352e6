package tlsx

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// maxLinks is how many symbolic links the kernel follows in one path.
const maxLinks = 40

// A trail is every step that the kernel takes to resolve the watched paths.
type trail struct {
	// dirs are the directories passed, as physical paths. True are those in
	// which a change can lead elsewhere without anything else telling of it:
	// they hold a link, the file itself, or lack the next step. The others are
	// only passed; they tell when one of those is itself replaced.
	dirs map[string]bool
	// names are the steps: the entries of dirs that matter.
	names map[string]bool
	// all are the directories of which every entry matters.
	all map[string]bool
	// ends are the physical paths of those that lead somewhere. Each link was
	// read once for all paths, so that they are of one moment.
	ends map[string]string
	// steps tell one resolution from another.
	steps []string
	stats map[string]stat // while it is made
}

// follow resolves the files, the others, and the entries of those that are
// directories.
func follow(files, either []string) *trail {
	t := &trail{
		dirs: map[string]bool{}, names: map[string]bool{}, all: map[string]bool{},
		ends: map[string]string{}, stats: map[string]stat{},
	}
	for _, path := range files {
		t.walk(path)
	}
	for _, path := range either {
		end, isDir := t.walk(path)
		if !isDir {
			continue
		}
		t.dirs[end], t.all[end] = true, true
		for _, name := range readListing(end, path).names {
			t.walk(name)
		}
	}
	t.stats = nil
	return t
}

// same reports whether both resolutions went the same way.
func (t *trail) same(other *trail) bool { return slices.Equal(t.steps, other.steps) }

// walk resolves one absolute path as the kernel does, component by component:
// ".." after a link is the parent of its target. It returns where the path ends
// and whether that is a directory.
func (t *trail) walk(path string) (end string, isDir bool) {
	at, todo := rootOf(path), components(path)
	links := 0
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		if !t.dirs[at] {
			t.dirs[at] = false // passed so far
		}
		t.names[name] = true
		next := filepath.Join(at, name)
		s := t.lstat(next)
		if s.mode&fs.ModeSymlink != 0 {
			if links++; links > maxLinks {
				s.err = syscall.ELOOP
			}
		}
		switch {
		case s.err != nil:
			t.end(at, next+" ! "+errnoText(s.err))
			return next, false
		case s.mode&fs.ModeSymlink != 0:
			t.end(at, next+" -> "+s.target)
			if filepath.IsAbs(s.target) {
				at = rootOf(s.target)
			}
			todo = append(components(s.target), todo...)
		case s.mode.IsDir():
			at = next
		case len(todo) > 0:
			t.end(at, next+" ! "+syscall.ENOTDIR.Error())
			return next, false
		default:
			t.end(at, next)
			t.ends[path] = next
			return next, false
		}
	}
	t.end(at, at+string(filepath.Separator))
	t.ends[path] = at
	return at, true
}

// stat is what one step found. Many paths share their first steps.
type stat struct {
	mode   fs.FileMode
	target string
	err    error
}

func (t *trail) lstat(path string) stat {
	s, ok := t.stats[path]
	if ok {
		return s
	}
	info, err := os.Lstat(path)
	if err == nil {
		s.mode = info.Mode()
		if s.mode&fs.ModeSymlink != 0 {
			s.target, err = os.Readlink(path)
		}
	}
	s.err = err
	t.stats[path] = s
	return s
}

// end records a step that a change in dir can redirect.
func (t *trail) end(dir, step string) {
	t.dirs[dir] = true
	t.steps = append(t.steps, step)
}

func rootOf(path string) string {
	return filepath.VolumeName(path) + string(filepath.Separator)
}

// components splits a path. A separator at its end asks for a directory, as "."
// does.
func components(path string) []string {
	path = path[len(filepath.VolumeName(path)):]
	parts := strings.FieldsFunc(path, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(uint8(r)) })
	if path != "" && os.IsPathSeparator(path[len(path)-1]) {
		parts = append(parts, ".")
	}
	return parts
}

// errnoText leaves out the path, which the step holds already.
func errnoText(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return err.Error()
}

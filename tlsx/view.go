package tlsx

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxListing bounds the files of one directory.
const maxListing = 4096

// A view is what files and directories held when they were read. It reads each
// of them once, so that whoever asks it sees one state.
type view struct {
	// ends are the physical paths to read instead of those that are asked for:
	// where links lead may change between two reads. Others are read as named.
	ends  map[string]string
	files map[string]content
	dirs  map[string]listing
}

type content struct {
	data []byte
	err  error
}

type listing struct {
	names []string
	isDir bool
	err   error
}

func newView(ends map[string]string) *view {
	return &view{ends: ends, files: map[string]content{}, dirs: map[string]listing{}}
}

func (v *view) end(path string) string {
	if end, ok := v.ends[path]; ok {
		return end
	}
	return path
}

// file returns the content of a regular file.
func (v *view) file(path string) ([]byte, error) {
	c, ok := v.files[path]
	if !ok {
		c.data, c.err = readFile(v.end(path))
		v.files[path] = c
	}
	return c.data, c.err
}

// list returns the files of a directory as paths, sorted. Entries that begin
// with a dot are left out: a Kubernetes volume keeps its data directories under
// such names. It reports false for anything but a directory.
func (v *view) list(path string) (paths []string, isDir bool, err error) {
	l, ok := v.dirs[path]
	if !ok {
		l = readListing(v.end(path), path)
		v.dirs[path] = l
	}
	return l.names, l.isDir, l.err
}

// readListing lists dir and names the entries as if it were called path.
func readListing(dir, path string) listing {
	info, err := os.Stat(dir)
	if err != nil {
		return listing{err: explainOpen(err)}
	}
	if !info.IsDir() {
		return listing{}
	}
	f, err := os.Open(dir)
	if err != nil {
		return listing{isDir: true, err: explainOpen(err)}
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(maxListing + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return listing{isDir: true, err: explainOpen(err)}
	case len(names) > maxListing:
		return listing{isDir: true, err: fmt.Errorf("the directory holds more than %d entries; name one with only the files that are needed", maxListing)}
	}
	out := listing{isDir: true}
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		out.names = append(out.names, filepath.Join(path, name))
	}
	slices.Sort(out.names)
	return out
}

// readAll reads the files, and of each of the others either it or the files in it.
func (v *view) readAll(files, either []string) {
	for _, path := range files {
		_, _ = v.file(path)
	}
	for _, path := range either {
		names, isDir, _ := v.list(path)
		if !isDir {
			names = []string{path}
		}
		for _, name := range names {
			_, _ = v.file(name)
		}
	}
}

// A digest stands for everything that a view holds, failures included.
type digest [sha256.Size]byte

func (v *view) digest() digest {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(v.dirs)) {
		l := v.dirs[path]
		writeField(h, []byte(path))
		for _, name := range l.names {
			writeField(h, []byte(name))
		}
		writeError(h, l.err)
	}
	for _, path := range slices.Sorted(maps.Keys(v.files)) {
		c := v.files[path]
		writeField(h, []byte(path))
		writeField(h, c.data)
		writeError(h, c.err)
	}
	return digest(h.Sum(nil))
}

func writeField(h hash.Hash, data []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(data)))
	_, _ = h.Write(size[:])
	_, _ = h.Write(data)
}

func writeError(h hash.Hash, err error) {
	if err == nil {
		writeField(h, nil)
		return
	}
	writeField(h, []byte(err.Error()))
}

// wipe overwrites the content of a file, so that polls leave no copies of a key
// behind.
func (v *view) wipe(path string) { clear(v.files[path].data) }

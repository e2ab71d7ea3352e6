package release

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// Tree is the files of a commit by their slash-separated paths, with changes
// that are not committed.
type Tree struct {
	files   map[string]*zip.File
	changed map[string][]byte
}

// Tree reads the files of a commit the way the go command does when it makes a
// module of one: through git archive, which honours export-ignore, with the
// line ends of the repository.
func (r *Repo) Tree(ctx context.Context, commit string) (*Tree, error) {
	data, err := r.raw(ctx, nil, "-c", "core.autocrlf=input", "-c", "core.eol=lf", "archive", "--format=zip", commit)
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	t := &Tree{files: map[string]*zip.File{}, changed: map[string][]byte{}}
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			t.files[f.Name] = f
		}
	}
	return t, nil
}

// Paths returns the paths of all files, sorted.
func (t *Tree) Paths() []string { return slices.Sorted(maps.Keys(t.files)) }

// Read returns the content of a file, or an error that is fs.ErrNotExist.
func (t *Tree) Read(name string) ([]byte, error) {
	if data, ok := t.changed[name]; ok {
		return data, nil
	}
	f := t.files[name]
	if f == nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

// change replaces the content of a file that exists.
func (t *Tree) change(name string, data []byte) { t.changed[name] = data }

// treeFile is a file of a tree for package golang.org/x/mod/zip.
type treeFile struct {
	tree       *Tree
	name, path string // in the module and in the tree
}

func (f treeFile) Path() string { return f.name }

func (f treeFile) Lstat() (fs.FileInfo, error) {
	info := f.tree.files[f.path].FileInfo()
	if data, ok := f.tree.changed[f.path]; ok {
		return changedInfo{info, int64(len(data))}, nil
	}
	return info, nil
}

func (f treeFile) Open() (io.ReadCloser, error) {
	data, err := f.tree.Read(f.path)
	return io.NopCloser(bytes.NewReader(data)), err
}

type changedInfo struct {
	fs.FileInfo

	size int64
}

func (i changedInfo) Size() int64        { return i.size }
func (i changedInfo) ModTime() time.Time { return time.Time{} }

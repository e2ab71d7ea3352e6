package release

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// Archive is a version of a module as a proxy serves it.
type Archive struct {
	module.Version

	Sums Sums
	Time time.Time
	mod  []byte
	zip  []byte
}

// archive makes the module of a tree, as the go command makes it of a tag: what
// is nested in a module of its own is left out, and a nested module without a
// LICENSE gets that of the root (https://go.dev/ref/mod#vcs-license).
func (m *Module) archive(t *Tree, version string, at time.Time) (*Archive, error) {
	prefix := ""
	if m.Dir != "." {
		prefix = m.Dir + "/"
	}
	var files []modzip.File
	license := false
	for _, name := range t.Paths() {
		if rel, ok := strings.CutPrefix(name, prefix); ok {
			files = append(files, treeFile{t, rel, name})
			license = license || rel == "LICENSE"
		}
	}
	if _, ok := t.files["LICENSE"]; ok && !license {
		files = append(files, treeFile{t, "LICENSE", "LICENSE"})
	} else if !license {
		return nil, fmt.Errorf("%s: neither the module nor the repository has a LICENSE", m.Path)
	}
	a := &Archive{Version: module.Version{Path: m.Path, Version: version}, Time: at}
	var err error
	if a.mod, err = t.Read(m.in("go.mod")); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := modzip.Create(&out, a.Version, files); err != nil {
		return nil, err
	}
	a.zip = out.Bytes()
	a.Sums, err = a.hash()
	return a, err
}

func (a *Archive) hash() (Sums, error) {
	// The hash of a zip is read from a file only.
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return Sums{}, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "module.zip")
	if err := os.WriteFile(name, a.zip, 0o600); err != nil {
		return Sums{}, err
	}
	var s Sums
	if s.Zip, err = dirhash.HashZip(name, dirhash.Hash1); err != nil {
		return Sums{}, err
	}
	s.Mod, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(a.mod)), nil
	})
	return s, err
}

// Unpack writes the files of the module into a new directory below parent, and
// returns that.
func (a *Archive) Unpack(parent string) (string, error) {
	// A module in the directory of another would be nested in it.
	dir := filepath.Join(parent, strings.ReplaceAll(a.Path, "/", "_")+"@"+a.Version.Version)
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // not secret
		return "", err
	}
	tmp := dir + ".zip"
	if err := os.WriteFile(tmp, a.zip, 0o600); err != nil {
		return "", err
	}
	defer os.Remove(tmp)
	return dir, modzip.Unzip(dir, a.Version, tmp)
}

// WriteProxy adds archives to a directory that the go command reads as a module
// proxy, by GOPROXY=file://dir (https://go.dev/ref/mod#goproxy-protocol).
// Versions that are there stay; those with the same name are replaced.
func WriteProxy(ctx context.Context, dir string, archives ...*Archive) error {
	for _, a := range archives {
		if err := ctx.Err(); err != nil {
			return err
		}
		escaped, err := module.EscapePath(a.Path)
		if err != nil {
			return err
		}
		version, err := module.EscapeVersion(a.Version.Version)
		if err != nil {
			return err
		}
		at := filepath.Join(dir, filepath.FromSlash(path.Join(escaped, "@v")))
		if err := os.MkdirAll(at, 0o755); err != nil { //nolint:gosec // not secret
			return err
		}
		info, err := json.Marshal(map[string]any{"Version": a.Version.Version, "Time": a.Time.UTC()})
		if err != nil {
			return err
		}
		for ext, data := range map[string][]byte{".info": info, ".mod": a.mod, ".zip": a.zip} {
			if err := os.WriteFile(filepath.Join(at, version+ext), data, 0o644); err != nil { //nolint:gosec // as above
				return err
			}
		}
		if err := addToList(filepath.Join(at, "list"), a.Version.Version); err != nil {
			return err
		}
	}
	return nil
}

func addToList(name, version string) error {
	data, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == version {
			return nil
		}
	}
	return os.WriteFile(name, append(data, version+"\n"...), 0o644) //nolint:gosec // not secret
}

package certscmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const (
	certFile = "tls.crt"
	keyFile  = "tls.key"
	caFile   = "ca.crt"

	// dataLink and the time stamp are the kubelet's names (atomic writer).
	dataLink    = "..data"
	newDataLink = "..data_tmp"
	setStamp    = "..2006_01_02_15_04_05."
)

// A set is the content of a certificate's directory.
type set struct{ cert, key, ca []byte }

type setFile struct {
	name string
	data []byte
	mode fs.FileMode
}

func (s set) files() []setFile {
	return []setFile{{certFile, s.cert, 0o644}, {keyFile, s.key, 0o600}, {caFile, s.ca, 0o644}}
}

// isLink reports whether a file of a set is a link through ..data.
func isLink(dir, name string) bool {
	to, err := os.Readlink(filepath.Join(dir, name))
	return err == nil && to == dataLink+"/"+name
}

// lexists does not follow a link. What cannot be looked at exists.
func lexists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// checkFree refuses a directory that holds a certificate already. Links without
// a ..data are what an interrupted createSet left: they hold nothing.
func checkFree(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if lexists(dir) {
			return fmt.Errorf("--out %q is a link that leads nowhere; name another", dir)
		}
		return nil
	case err != nil:
		return fmt.Errorf("--out %q: %w", dir, explain(err))
	case !info.IsDir():
		return fmt.Errorf("--out %q is no directory; name another", dir)
	}
	held := lexists(filepath.Join(dir, dataLink))
	for _, name := range []string{certFile, keyFile, caFile, dataLink} {
		if lexists(filepath.Join(dir, name)) && (held || !isLink(dir, name)) {
			return fmt.Errorf("--out %q holds %s already; renew that with \"grpcx certs renew\", or name another directory", dir, name)
		}
	}
	return nil
}

// checkSet refuses to renew what createSet did not write: plain files cannot be
// swapped at once.
func checkSet(dir string) error {
	for _, name := range []string{certFile, keyFile, caFile} {
		switch {
		case isLink(dir, name):
		case !lexists(filepath.Join(dir, name)):
			return fmt.Errorf("%q holds no %s; name a directory that \"grpcx certs issue\" made", dir, name)
		default:
			return fmt.Errorf("%q: %s is no link through %s, so that the files cannot be swapped at once; name a directory that \"grpcx certs issue\" made", dir, name, dataLink)
		}
	}
	return nil
}

// createSet puts a set into a directory that has none: all of it or nothing. It
// fails if there is one after all.
func createSet(dir string, s set, now time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the certificates are public; the key's file is private
		return err
	}
	if err := writeSet(dir, s, now, createLink); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// replaceSet swaps the set of a directory for another: readers see the old
// files or the new ones.
func replaceSet(dir string, s set, now time.Time) error { return writeSet(dir, s, now, replaceLink) }

// writeSet makes a directory with the files and has ..data lead to it. Each step
// is durable before the next. What an interrupted call left behind, the next
// removes.
func writeSet(dir string, s set, now time.Time, lead func(dir, fresh string) error) error {
	fresh, err := os.MkdirTemp(dir, now.UTC().Format(setStamp))
	if err != nil {
		return err
	}
	swapped := false
	defer func() {
		if !swapped {
			_ = os.RemoveAll(fresh)
		}
	}()
	if err := os.Chmod(fresh, 0o755); err != nil { //nolint:gosec // as in createSet
		return err
	}
	for _, f := range s.files() {
		if err := createFile(filepath.Join(fresh, f.name), f.data, f.mode); err != nil {
			return err
		}
	}
	if err := syncDir(fresh); err != nil {
		return err
	}
	// The links are made first: they lead nowhere until all do.
	if err := linkFiles(dir); err != nil {
		return err
	}
	if err := lead(dir, filepath.Base(fresh)); err != nil {
		unlinkFiles(dir)
		return err
	}
	swapped = true
	if err := syncDir(dir); err != nil {
		return err // the old files stay: after a crash they may be current again
	}
	removeOld(dir, filepath.Base(fresh))
	return nil
}

func linkFiles(dir string) error {
	for _, name := range []string{certFile, keyFile, caFile} {
		if err := os.Symlink(dataLink+"/"+name, filepath.Join(dir, name)); err != nil && !isLink(dir, name) {
			unlinkFiles(dir)
			return err
		}
	}
	return syncDir(dir)
}

// unlinkFiles removes links that lead nowhere.
func unlinkFiles(dir string) {
	for _, name := range []string{certFile, keyFile, caFile} {
		if isLink(dir, name) && !lexists(filepath.Join(dir, dataLink)) {
			_ = os.Remove(filepath.Join(dir, name))
		}
	}
}

// createLink makes ..data, which must not exist.
func createLink(dir, fresh string) error { return os.Symlink(fresh, filepath.Join(dir, dataLink)) }

// replaceLink lets ..data lead to another directory.
func replaceLink(dir, fresh string) error {
	temp := filepath.Join(dir, newDataLink)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(fresh, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, dataLink)); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return nil
}

var setDir = regexp.MustCompile(`^\.\.\d{4}(_\d\d){5}\.\d+$`)

// removeOld removes every directory of a set but the current. Keys that nobody
// needs should not stay.
func removeOld(dir, current string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // the next renewal tries again
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != current && setDir.MatchString(e.Name()) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

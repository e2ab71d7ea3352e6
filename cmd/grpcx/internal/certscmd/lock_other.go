//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package certscmd

// tryLock does nothing here: run one command at a time.
func tryLock(string) (unlock func(), err error) { return func() {}, nil }

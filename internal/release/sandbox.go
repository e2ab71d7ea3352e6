package release

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Sandbox is a place where the go command sees released modules through a
// proxy on disk, and caches nothing of them where a later build could find it.
type Sandbox struct {
	Dir string
	env []string
}

// NewSandbox makes a sandbox in dir, which exists, with what is in proxy: the
// modules whose paths begin with root. Others come from the module cache of this machine, else from where the
// environment says.
func NewSandbox(ctx context.Context, dir, proxy, root string) (*Sandbox, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", commandError(err))
	}
	cache, upstream, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if proxy, err = filepath.Abs(proxy); err != nil {
		return nil, err
	}
	s := &Sandbox{Dir: dir}
	s.env = append(os.Environ(),
		"GOWORK=off", "GOPATH="+filepath.Join(dir, "gopath"), "GOMODCACHE="+filepath.Join(dir, "modcache"),
		"GOPROXY="+fileURL(proxy)+","+fileURL(filepath.Join(cache, "cache", "download"))+","+upstream,
		// No checksum database knows what is not published; the rest it checks.
		"GONOSUMDB="+root, "GOPRIVATE=", "GONOPROXY=",
		// The mode of the directories would keep them from being removed. The
		// paths of the sandbox must not keep the build cache from being used.
		"GOFLAGS=-modcacherw -trimpath -buildvcs=false", "GOTOOLCHAIN=local", "CGO_ENABLED=0",
	)
	return s, nil
}

func fileURL(dir string) string {
	dir = filepath.ToSlash(dir)
	if !strings.HasPrefix(dir, "/") {
		dir = "/" + dir // C:/...
	}
	return "file://" + dir
}

// Env is the environment of commands in the sandbox.
func (s *Sandbox) Env(extra ...string) []string {
	return append(slices.Clip(s.env), extra...)
}

// Go runs the go command in a directory and returns what it prints.
func (s *Sandbox) Go(ctx context.Context, dir string, args ...string) (string, error) {
	return s.run(ctx, dir, nil, args...)
}

func (s *Sandbox) run(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are ours
	cmd.Dir = dir
	cmd.Env = s.Env(env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, stderr.String(), stdout.String())
	}
	return stdout.String(), nil
}

// BuildFlags are those of binaries for others. With one Go release and
// CGO_ENABLED=0 they give the same bytes everywhere.
var BuildFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// Install builds the command of a module in a version for a platform, such as
// linux/arm64, and returns the file. What env sets goes before all else.
func (s *Sandbox) Install(ctx context.Context, command, platform string, env ...string) (string, error) {
	// The go command refuses GOBIN for another platform, and chooses the
	// directory below GOPATH by what the other platform is.
	gopath, err := os.MkdirTemp(s.Dir, "install")
	if err != nil {
		return "", err
	}
	goos, goarch, _ := strings.Cut(platform, "/")
	env = append([]string{"GOOS=" + goos, "GOARCH=" + goarch, "GOPATH=" + gopath, "GOFLAGS=-modcacherw"}, env...)
	if _, err := s.run(ctx, s.Dir, env, slices.Concat([]string{"install"}, BuildFlags, []string{command})...); err != nil {
		return "", err
	}
	binary := ""
	err = filepath.WalkDir(filepath.Join(gopath, "bin"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			binary = name
		}
		return err
	})
	if err == nil && binary == "" {
		err = fmt.Errorf("go install %s left no binary in %s", command, gopath)
	}
	return binary, err
}

package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// Repo is a git repository with a work tree.
type Repo struct {
	Dir string
	// Env is added to the environment of git.
	Env []string
}

// git runs git and returns what it prints without the last newline.
func (r *Repo) git(ctx context.Context, stdin []byte, args ...string) (string, error) {
	out, err := r.raw(ctx, stdin, args...)
	return strings.TrimSuffix(string(out), "\n"), err
}

func (r *Repo) raw(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the arguments are ours
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), r.Env...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], commandError(err))
	}
	return out, nil
}

// commandError is err with what the command wrote to its standard error.
func commandError(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

// Clean returns an error that lists what is not committed, ignored files
// excepted.
func (r *Repo) Clean(ctx context.Context) error {
	out, err := r.git(ctx, nil, "status", "--porcelain")
	if err != nil || out == "" {
		return err
	}
	return fmt.Errorf("the tree is not clean; commit or remove:\n%s", out)
}

// Resolve returns the hash of the commit that rev names.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	return r.git(ctx, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
}

// Time returns when commit was made.
func (r *Repo) Time(ctx context.Context, commit string) (time.Time, error) {
	out, err := r.git(ctx, nil, "log", "--max-count=1", "--format=%cI", "--end-of-options", commit)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, out)
}

// Tags returns the names of all tags.
func (r *Repo) Tags(ctx context.Context) ([]string, error) {
	out, err := r.git(ctx, nil, "tag", "--list")
	return strings.Fields(out), err
}

// Root returns the module path of the go.mod in the work tree's root.
func (r *Repo) Root() (string, error) {
	name := filepath.Join(r.Dir, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	root := modfile.ModulePath(data)
	if root == "" {
		return "", fmt.Errorf("%s: no module line", name)
	}
	return root, nil
}

// Command release checks that the modules of the repository can be released
// with one version, and tags them. docs/releasing.md has the steps.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/grpcx-go/sdk/internal/release"
)

const usage = `Usage:

  release [flags] vX.Y.Z               check everything, then commit and tag
  release [flags] changelog vX.Y.Z     move what is unreleased in CHANGELOG.md to vX.Y.Z
  release [flags] sbom DIR [vX.Y.Z]    write bills of materials of HEAD, or of a release, into DIR
  release [flags] modules              print the directories of the released modules

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// program is what the flags say.
type program struct {
	repo      *release.Repo
	stdout    io.Writer
	dryRun    bool
	proxy     string
	skipTests bool
	sign      bool
	cyclonedx string
}

// run returns flag.ErrHelp after it said how it is used.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p := &program{repo: &release.Repo{}, stdout: stdout}
	fs := flag.NewFlagSet("release", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&p.repo.Dir, "C", ".", "the `directory` of the repository")
	fs.BoolVar(&p.dryRun, "dry-run", false, "check everything, but make no commit and no tag")
	fs.StringVar(&p.proxy, "proxy", "", "write the released modules into `directory`, for GOPROXY=file://directory")
	fs.BoolVar(&p.skipTests, "skip-tests", false, "do not run make test, because it passed on this commit")
	fs.BoolVar(&p.sign, "sign", false, "sign the tags, as git tag -s does")
	fs.StringVar(&p.cyclonedx, "cyclonedx", "cyclonedx-gomod", "the `program` that writes bills of materials")
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return flag.ErrHelp
	}
	switch args := fs.Args(); {
	case len(args) == 2 && args[0] == "changelog":
		return p.changelog(ctx, args[1])
	case len(args) == 2 && args[0] == "sbom":
		return p.sbom(ctx, args[1], "")
	case len(args) == 3 && args[0] == "sbom":
		return p.sbom(ctx, args[1], args[2])
	case len(args) == 1 && args[0] == "modules":
		return p.modules(ctx)
	case len(args) == 1 && args[0] != "changelog" && args[0] != "sbom":
		return p.release(ctx, args[0])
	}
	fs.Usage()
	return flag.ErrHelp
}

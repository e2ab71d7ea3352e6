package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

const (
	sdkModule  = "github.com/grpcx-go/sdk"
	grpcModule = "google.golang.org/grpc"
)

// Info says which build this is. Fields that the build does not tell are empty.
type Info struct {
	Version  string `json:"version"` // of the module; "(devel)" when built from a checkout
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	SDK      string `json:"sdk"`
	GRPC     string `json:"grpc"`
	Commit   string `json:"commit"`
	Time     string `json:"time"` // of the commit, RFC 3339
	Modified bool   `json:"modified"`
}

// Version returns the version of this program.
func Version() string { return buildInfo().Version }

func buildInfo() Info {
	info := Info{Version: "(unknown)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	if build.Main.Version != "" {
		info.Version = build.Main.Version
	}
	for _, dep := range build.Deps {
		switch dep.Path {
		case sdkModule:
			info.SDK = moduleVersion(dep)
		case grpcModule:
			info.GRPC = moduleVersion(dep)
		}
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.time":
			info.Time = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// moduleVersion tells a module that is replaced by a directory from a release.
func moduleVersion(m *debug.Module) string {
	if m.Replace == nil {
		return m.Version
	}
	if m.Replace.Version == "" {
		return "(devel)"
	}
	return m.Replace.Version
}

// String returns the build on one line.
func (i Info) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "grpcx %s %s %s/%s", i.Version, i.Go, i.OS, i.Arch)
	for _, part := range []struct{ name, value string }{{"sdk", i.SDK}, {"grpc", i.GRPC}, {"commit", i.Commit}} {
		if part.value != "" {
			fmt.Fprintf(&out, " %s %s", part.name, part.value)
		}
	}
	if i.Modified {
		out.WriteString(" (modified)")
	}
	return out.String()
}

func newVersion(streams Streams) *cobra.Command {
	var format Format
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		Long: `Show the version of grpcx, of Go, of the SDK and of gRPC in this build, and the
commit where the build knows it.

Exit codes: 0 shown, 1 the output could not be written, 2 wrong arguments.`,
		Example: `  grpcx version
  grpcx version -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := buildInfo()
			if format == JSON {
				return json.NewEncoder(streams.Out).Encode(info)
			}
			_, err := fmt.Fprintln(streams.Out, info)
			return err
		},
	}
	OutputVar(cmd, &format)
	return cmd
}

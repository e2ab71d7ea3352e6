package doctorcmd

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/runtimex"
)

// Fake is a host made by a test.
type Fake struct {
	GOOS                  string
	FS                    fs.FS
	Env                   map[string]string
	Machine               runtimex.MachineInfo
	Without, With         runtimex.Report
	Pressure              *runtimex.Pressure
	TuneErr               error
	MaxConnections        int
	ConnectionsErr        error
	FilesSoft, FilesHard  uint64
	Inotify, NTPErr, Bind error
	CPUModel              string
	Memory                int64
	Clock                 []Instant // for each time that the clocks are read, the last for all others
	Built                 time.Time
	Synchronized          bool
	MaxError              time.Duration
	FIPS                  bool
}

// Instant is a moment on both clocks.
type Instant struct {
	Wall      time.Time
	Monotonic time.Duration
}

// New is New for the host.
func (f Fake) New(streams cli.Streams) *cobra.Command {
	return newCommand(streams, func() host {
		reads := 0
		return host{
			goos: f.GOOS, fs: f.FS, getenv: func(name string) string { return f.Env[name] },
			version: "v1.2.3", built: f.Built, goVersion: "go1.26.8",
			fips:        func() (bool, string) { return f.FIPS, "latest" },
			machine:     f.Machine,
			cpuModel:    f.CPUModel,
			memory:      func() int64 { return f.Memory },
			tune:        func() (tuning, error) { return tuning{f.Without, f.With, f.Pressure}, f.TuneErr },
			connections: func() (int, error) { return f.MaxConnections, f.ConnectionsErr },
			files:       func() (uint64, uint64) { return f.FilesSoft, f.FilesHard },
			inotify:     func() error { return f.Inotify },
			now: func() (time.Time, time.Duration) {
				i := f.Clock[min(reads, len(f.Clock)-1)]
				reads++
				return i.Wall, i.Monotonic
			},
			ntp:    func() (ntpState, error) { return ntpState{f.Synchronized, f.MaxError}, f.NTPErr },
			listen: func(context.Context, string) (io.Closer, error) { return io.NopCloser(nil), f.Bind },
		}
	})
}

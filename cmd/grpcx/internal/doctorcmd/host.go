package doctorcmd

import (
	"bytes"
	"context"
	"crypto/fips140"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cpuinfo"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/runtimex"
)

// host is what is examined.
type host struct {
	goos   string
	fs     fs.FS // rooted at "/"
	getenv func(string) string

	version   string // of this program
	built     time.Time
	goVersion string
	fips      func() (enabled bool, module string)

	machine  runtimex.MachineInfo
	cpuModel string
	// memory is what this process takes, in bytes.
	memory func() int64
	// tune does what Run does at its start, and takes it back.
	tune func() (tuning, error)
	// connections is the default of Limits.MaxConnections.
	connections func() (int, error)
	// files are the limits of open files, 0 without.
	files func() (soft, hard uint64)
	// inotify says why no changes of files can be watched.
	inotify func() error
	// now reads both clocks.
	now    func() (wall time.Time, monotonic time.Duration)
	ntp    func() (ntpState, error)
	listen func(ctx context.Context, addr string) (io.Closer, error)
}

// tuning is what runtimex made of the machine.
type tuning struct {
	without, with runtimex.Report
	pressure      *runtimex.Pressure // nil: none
}

// ntpState is what the kernel knows of the quality of its clock.
type ntpState struct {
	synchronized bool
	maxError     time.Duration
}

// goRelease is when Go 1.26 was released: no binary of this program is older.
var goRelease = time.Date(2026, time.February, 1, 0, 0, 0, 0, time.UTC)

// system is the machine that this process runs on.
func system() host {
	start := time.Now()
	h := host{
		goos: runtime.GOOS, fs: os.DirFS("/"), getenv: os.Getenv,
		version: cli.Version(), built: goRelease, goVersion: runtime.Version(),
		fips:        func() (bool, string) { return fips140.Enabled(), fips140.Version() },
		machine:     runtimex.Machine(),
		cpuModel:    cpuinfo.Model(),
		memory:      memoryInUse,
		tune:        tune,
		connections: connections,
		files:       fileLimits,
		inotify:     tryInotify,
		now: func() (time.Time, time.Duration) {
			now := time.Now()
			return now.Round(0), now.Sub(start)
		},
		ntp:    readNTP,
		listen: listen,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && t.After(h.built) {
				h.built = t
			}
		}
	}
	return h
}

func tune() (tuning, error) {
	t := tuning{without: runtimex.Current()}
	c, err := runtimex.Apply(runtimex.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return t, err
	}
	defer c.Undo()
	t.with = c.Report()
	if p, err := c.Pressure(); err == nil {
		t.pressure = &p
	}
	return t, nil
}

// connections asks a server, which is never started.
func connections() (int, error) {
	srv, err := grpcx.New(grpcx.WithInsecure())
	if err != nil {
		return 0, err
	}
	return srv.Settings().Limits.MaxConnections, nil
}

// memoryInUse is what GOMEMLIMIT bounds, see [debug.SetMemoryLimit].
func memoryInUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

func listen(ctx context.Context, addr string) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // for a name that has to be resolved
	defer cancel()
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// line returns the content of a file of one line, empty where it cannot be read.
func (h host) line(name string) string {
	data, err := fs.ReadFile(h.fs, name)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(data))
}

func (h host) exists(name string) bool {
	_, err := fs.Stat(h.fs, name)
	return err == nil
}

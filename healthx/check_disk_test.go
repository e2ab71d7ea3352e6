package healthx_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestDiskSpace(t *testing.T) {
	assert.ErrorContains(t, healthx.DiskSpace("", 1)(t.Context()), "the path is empty", "/var/lib/app")
	dir := t.TempDir()
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "dragonfly":
	default:
		err := healthx.DiskSpace(dir, 0)(t.Context())
		assert.ErrorIs(t, err, errors.ErrUnsupported)
		assert.ErrorContains(t, err, "not supported on "+runtime.GOOS, "leave the check out")
		return
	}
	assert.NoError(t, healthx.DiskSpace(dir, 0)(t.Context()))
	assert.NoError(t, healthx.DiskSpace(dir, 1)(t.Context()))
	file := filepath.Join(dir, "file")
	assert.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.NoError(t, healthx.DiskSpace(file, 1)(t.Context()))
	assert.ErrorContains(t, healthx.DiskSpace(dir, math.MaxUint64-1)(t.Context()), `disk space of "`+dir+`": `, "B free, less than 16.0 EiB; free some")
	err := healthx.DiskSpace(filepath.Join(dir, "missing"), 1)(t.Context())
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "missing", "check the path and that the volume is mounted")
}

func TestDiskArithmetic(t *testing.T) {
	assert.Equal(t, healthx.Product(3, 4096), 12288)
	assert.Equal(t, healthx.Product(-3, 4096), 0, "FreeBSD counts what is reserved as less than nothing")
	assert.Equal(t, healthx.Product(math.MaxInt64, 4096), math.MaxUint64)
	assert.Equal(t, healthx.ProductMixed(1<<40, 512), 1<<49)
	assert.Equal(t, healthx.ProductMixed(1<<40, -1), 0)
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1024.0 KiB", 1 << 20: "1.0 MiB",
		5 << 30: "5.0 GiB", 1 << 40: "1.0 TiB", 3 << 50: "3.0 PiB", math.MaxUint64: "16.0 EiB",
	} {
		assert.Equal(t, healthx.FormatBytes(n), want)
	}
}

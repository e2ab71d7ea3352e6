package healthx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// DiskSpace returns a check for [Registry.AddCheck] that passes while the file
// system of path has at least minFree bytes that an ordinary user may still
// write. path is a file or directory that exists. On systems other than Linux,
// macOS, FreeBSD and DragonFly BSD the check fails each time with an error
// that wraps [errors.ErrUnsupported].
//
// The system call has no time limit: on a network file system whose server is
// gone it hangs, and the check counts as failed until it returns.
func DiskSpace(path string, minFree uint64) func(context.Context) error {
	if path == "" {
		return failing(errors.New("disk space: the path is empty; name a directory of the volume, as \"/var/lib/app\""))
	}
	return func(context.Context) error {
		free, err := freeBytes(path)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return fmt.Errorf("disk space of %q: %w; leave the check out there", path, err)
		case err != nil:
			return fmt.Errorf("disk space of %q: %w; check the path and that the volume is mounted", path, err)
		case free < minFree:
			return fmt.Errorf("disk space of %q: %s free, less than %s; free some or enlarge the volume", path, formatBytes(free), formatBytes(minFree))
		}
		return nil
	}
}

// product multiplies what systems give as different integers. Some say that
// less than nothing is free, others more than fits.
func product[B, S int32 | int64 | uint32 | uint64](blocks B, size S) uint64 {
	if blocks < 0 || size < 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(blocks), uint64(size))
	if high != 0 {
		return math.MaxUint64
	}
	return low
}

func formatBytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	exp := (bits.Len64(n) - 1) / 10
	return fmt.Sprintf("%.1f %ciB", float64(n)/float64(uint64(1)<<(10*exp)), units[exp-1])
}

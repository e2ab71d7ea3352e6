package parse

import (
	"bytes"
	"math"
)

// MemTotal reads the memory of the machine in bytes from /proc/meminfo, whose
// line is "MemTotal:       24684096 kB" with kB of 1024 bytes.
//
// https://man7.org/linux/man-pages/man5/proc_meminfo.5.html
func MemTotal(data []byte) (int64, error) {
	const want = `a line "MemTotal: <number> kB"`
	for line := range bytes.Lines(data) {
		rest, found := bytes.CutPrefix(line, []byte("MemTotal:"))
		if !found {
			continue
		}
		number, found := bytes.CutSuffix(rest, []byte(" kB\n"))
		n, ok := positive(bytes.TrimLeft(number, " "))
		if !found || !ok || n > math.MaxInt64>>10 {
			return 0, malformed(line, want)
		}
		return n << 10, nil
	}
	return 0, malformed(data, want)
}

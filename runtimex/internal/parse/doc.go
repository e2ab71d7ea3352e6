// Package parse reads the text formats in which the Linux kernel publishes the
// limits of a process: mountinfo, cgroup membership, cgroup limit and statistics
// files, affinity, the auxiliary vector, meminfo and pressure stall information.
//
// Every function is pure, takes a whole file and returns either what it says or
// an error that quotes it. The kernel ends each line with a newline, so a last
// line without one was cut short, and is an error: "20000" may be the beginning
// of "200000 100000". No input is taken for a limit that it does not state.
package parse

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// NoLimit is the memory limit of a group that has none.
const NoLimit int64 = math.MaxInt64

// quoted is how much of a malformed file an error repeats.
const quoted = 64

// malformed is the error for content that is not what was wanted.
func malformed(content []byte, want string) error {
	dots := ""
	if len(content) > quoted {
		content, dots = content[:quoted], "…"
	}
	return fmt.Errorf("malformed: got %q%s, want %s", content, dots, want)
}

// firstLine returns data up to its first newline. Files of one line are judged
// by it alone: it comes from one read of the kernel, while a reader that goes
// on to the end of the file may meet the end of a longer, newer line.
func firstLine(data []byte) (line []byte, complete bool) {
	line, _, complete = bytes.Cut(data, newline)
	return line, complete
}

var newline = []byte{'\n'}

// positive reads a decimal number from 1 to the largest int64. Unlike
// strconv.ParseInt alone it takes no sign.
func positive(text []byte) (int64, bool) {
	n, ok := unsigned(text)
	return int64(n), ok && n > 0 && n <= math.MaxInt64
}

// unsigned reads a decimal number that fits uint64.
func unsigned(text []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	return n, err == nil
}

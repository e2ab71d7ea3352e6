package parse

import "bytes"

// Flat reads a flat keyed file, such as cpu.stat, memory.stat and memory.events:
// one "key value\n" per line. It calls yield for each line with an unsigned
// value. A line without one is an error, but the others are still read; key
// is valid during the call only.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html#format
func Flat(data []byte, yield func(key []byte, value uint64)) error {
	var first error
	for len(data) > 0 {
		line, rest, complete := bytes.Cut(data, newline)
		key, text, two := bytes.Cut(line, []byte{' '})
		value, ok := unsigned(text)
		switch {
		case complete && two && ok && len(key) > 0:
			yield(key, value)
		case first == nil:
			first = malformed(line, `lines of "<key> <number>", each with a newline`)
		}
		data = rest
	}
	return first
}

package parse

import (
	"encoding/binary"
	"fmt"
)

// The entries of the auxiliary vector, from the kernel's uapi/linux/auxvec.h.
const (
	atNull     = 0
	atPageSize = 6
)

// PageSize reads the size of a memory page from /proc/self/auxv: pairs of
// machine words of wordBits (32 or 64), in the machine's byte order, up to one
// of type 0.
//
// https://man7.org/linux/man-pages/man3/getauxval.3.html
func PageSize(data []byte, wordBits int, order binary.ByteOrder) (int, error) {
	width := wordBits / 8
	word := func(b []byte) uint64 {
		if width == 4 {
			return uint64(order.Uint32(b))
		}
		return order.Uint64(b)
	}
	for rest := data; len(rest) >= 2*width; rest = rest[2*width:] {
		switch key, value := word(rest), word(rest[width:]); key {
		case atNull:
			return 0, fmt.Errorf("malformed: %d bytes name no page size (AT_PAGESZ)", len(data))
		case atPageSize:
			if value < 1<<10 || value > 1<<30 || value&(value-1) != 0 {
				return 0, fmt.Errorf("malformed: a page size of %d, want a power of two", value)
			}
			return int(value), nil
		}
	}
	return 0, fmt.Errorf("malformed: %d bytes without a last entry", len(data))
}

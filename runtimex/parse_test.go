package runtimex_test

import (
	"math/big"
	"regexp"
	"testing"

	"github.com/grpcx-go/sdk/runtimex"
)

// byteCount is the runtime's own grammar of GOMEMLIMIT.
var byteCount = regexp.MustCompile(`^([+-]?[0-9]+)(?:B|([KMGT])iB)?$`)

// FuzzParseByteCount compares the parser with the grammar and unbounded
// arithmetic.
func FuzzParseByteCount(f *testing.F) {
	for _, seed := range []string{
		"", "0", "-0", "+5", "-1", "1", "1B", "B", "iB", "KiB", "1KiB", "512MiB", "2GiB", "3TiB", "1PiB",
		"8388607TiB", "8388608TiB", "9223372036854775807", "9223372036854775808", "9223372036854775807B",
		"1KB", "1 GiB", "1gib", "1.5GiB", "1_000", "0x10", "1iB", "15iB", "1BB", "1KiBB", "1KiKiB", "off",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := runtimex.ParseByteCount(s)
		want, valid := new(big.Int), false
		if m := byteCount.FindStringSubmatch(s); m != nil {
			want.SetString(m[1], 10)
			shift := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[m[2]]
			want.Lsh(want, shift)
			valid = want.Sign() >= 0 && want.IsInt64()
		}
		if ok != valid || ok && want.Int64() != got {
			t.Errorf("ParseByteCount(%q) = %d, %t; want %v, %t", s, got, ok, want, valid)
		}
	})
}

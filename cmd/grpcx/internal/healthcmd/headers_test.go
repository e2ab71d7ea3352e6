package healthcmd_test

import (
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/healthcmd"
)

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"a: b", "X-Token:c:d", "a", ":b", "grpc-a: b", "a b: c", "a: \x00", "trace-bin: AA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		md, err := healthcmd.ParseHeaders(header)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || !strings.Contains(text, "; ") {
				t.Errorf("%q is not a line with a remedy", text)
			}
			return
		}
		for name, values := range md {
			if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, " :\n") || strings.ContainsAny(values[0], "\r\n\x00") {
				t.Errorf("%q became %q: %q", header, name, values)
			}
		}
	})
}

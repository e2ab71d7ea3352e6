package doctorcmd_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/grpcx-go/sdk/internal/assert"
)

// FuzzKernelFiles: whatever the kernel's files say, there is a report of clean
// lines.
func FuzzKernelFiles(f *testing.F) {
	f.Add("32768\t60999\n", "8080,9000-9100\n", "always [madvise] never\n", "4096\n", "9000")
	f.Add("60999 32768", "-", "[", "-1", "0")
	f.Add("1 99999999999999999999", "9-8,,1-", "]always[", "x", "65535")
	f.Fuzz(func(t *testing.T, ports, reserved, hugePages, somaxconn, port string) {
		host := healthy()
		files := host.FS.(fstest.MapFS)
		for name, text := range map[string]string{
			"proc/sys/net/ipv4/ip_local_port_range":      ports,
			"proc/sys/net/ipv4/ip_local_reserved_ports":  reserved,
			"sys/kernel/mm/transparent_hugepage/enabled": hugePages,
			"proc/sys/net/core/somaxconn":                somaxconn,
		} {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		got := run(t, host.New, "--addr", "127.0.0.1:"+port)
		switch got.code {
		case 0:
			assert.Equal(t, got.stderr, "")
			assert.Contains(t, got.stdout, "0 errors", "addr.bind")
			assert.True(t, !strings.ContainsAny(got.stdout, "\x1b\r\x00"), got.stdout)
		case 2:
			assert.Equal(t, got.stdout, "")
			assert.Equal(t, strings.Count(got.stderr, "\n"), 1)
		default:
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
		parse(t, run(t, host.New, "-o", "json").stdout)
	})
}

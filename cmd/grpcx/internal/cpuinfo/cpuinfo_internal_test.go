package cpuinfo

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/grpcx-go/sdk/internal/assert"
)

const (
	x86Info  = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\n\nprocessor\t: 1\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\n"
	n1Info   = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n"
	bigInfo  = "CPU implementer\t: 0x41\nCPU part\t: 0xd03\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n"
	newInfo  = "CPU implementer\t: 0x61\nCPU part\t: 0x022\n"
	riscInfo = "processor\t: 0\nhart\t: 0\nisa\t: rv64imafdc\nuarch\t: sifive,u74-mc\n"
)

func TestCPUInfo(t *testing.T) {
	for _, tt := range []struct{ name, text, goarch, midr, want string }{
		{"x86", x86Info, "amd64", "", "Intel(R) Xeon(R) CPU @ 2.20GHz"},
		{"Arm server", n1Info, "arm64", "Neoverse N1", "Neoverse N1"},
		{"big.LITTLE", bigInfo, "arm64", "Cortex-A72", "Cortex-A53, Cortex-A72"},
		{"unnamed core", newInfo, "arm64", "", "Arm implementer 0x61 part 0x022"},
		{"other", riscInfo, "riscv64", "", "sifive,u74-mc"},
		{"arm64 on x86", x86Info, "arm64", "Cortex-A53", "Cortex-A53, emulated on Intel(R) Xeon(R) CPU @ 2.20GHz"},
		{"arm64 on x86, no register", x86Info, "arm64", "", "emulated on Intel(R) Xeon(R) CPU @ 2.20GHz"},
		{"amd64 on Arm", n1Info, "amd64", "", "emulated on Neoverse N1"},
		{"nothing", "", "amd64", "", ""},
		{"no file", "", "arm64", "Neoverse N1", "Neoverse N1"},
		{"no value", "model name\nmodel name :\n", "amd64", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, parse(tt.text, tt.goarch, tt.midr), tt.want) })
	}
}

func TestRegister(t *testing.T) {
	for midr, want := range map[uint64]string{
		0x410fd034: "Cortex-A53", 0x413fd0c1: "Neoverse N1", 0x000f0510: "QEMU max", 0x610f0220: "Arm implementer 0x61 part 0x022",
	} {
		assert.Equal(t, midrName(midr), want)
	}
}

// TestModel: under an emulator, the emulated core and not the one under it.
func TestModel(t *testing.T) {
	name := Model()
	if strings.ContainsAny(name, "\n\t") {
		t.Errorf("%q is no name", name)
	}
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		assert.True(t, name != "", "/proc/cpuinfo names every amd64 processor")
	}
	want := map[string]string{"cortex-a53": "Cortex-A53", "neoverse-n1": "Neoverse N1", "max": "QEMU max"}[os.Getenv("QEMU_CPU")]
	if os.Getenv("GRPCX_EMULATOR") == "" || want == "" {
		t.Skip("this is no emulated processor with a known name")
	}
	assert.True(t, strings.HasPrefix(name, want), name)
}

func FuzzCPUInfo(f *testing.F) {
	for _, seed := range []string{x86Info, n1Info, bigInfo, newInfo, riscInfo, "", ":", "cpu:\n"} {
		f.Add(seed, "arm64")
		f.Add(seed, "amd64")
	}
	f.Fuzz(func(t *testing.T, text, goarch string) {
		name := parse(text, goarch, "")
		if strings.Contains(name, "\n") || utf8.ValidString(text) && !utf8.ValidString(name) {
			t.Errorf("the name of %q is %q", text, name)
		}
	})
}

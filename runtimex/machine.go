package runtimex

import (
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// MachineInfo is what does not change while a process runs: the machine as the
// process sees it, and what the binary was built for. It is a plain value with a
// slice of its own. It encodes to JSON and logs as one slog group.
type MachineInfo struct {
	// GOOS and GOARCH are the operating system and the architecture of the
	// build, as package runtime spells them.
	GOOS   string `json:"goos"`
	GOARCH string `json:"goarch"`
	// Level is the instruction set that the binary needs, the GOAMD64 or
	// GOARM64 of the build: "v1", "v8.0". On a machine with less the process
	// ends as it starts, or with SIGILL on arm64. Empty on other
	// architectures, and for a binary without build information.
	Level string `json:"level,omitempty"`
	// NumCPU is how many logical CPUs the process could use when it started,
	// by its affinity mask.
	NumCPU int `json:"num_cpu"`
	// PageSize is the size of a memory page in bytes: 4096 almost everywhere,
	// 16384 on Apple silicon and 65536 on some arm64 kernels.
	PageSize int `json:"page_size"`
	// CacheLinePad is how many bytes apart this build keeps what different
	// CPUs write, which is the cache line or a multiple: 64 on amd64, 128 on
	// arm64.
	CacheLinePad int `json:"cache_line_pad"`
	// HardwareAES is set when crypto/tls finds instructions for AES-GCM and so
	// prefers it to ChaCha20-Poly1305. GODEBUG=cpu.aes=off clears it, as it
	// does there.
	HardwareAES bool `json:"hardware_aes"`
	// Features are instructions that Go code makes use of when they are there,
	// sorted, in the spelling of Linux: "aes", "avx2", "pclmulqdq" on amd64;
	// "aes", "atomics" (the LSE atomic instructions), "pmull", "sha2" on
	// arm64. Empty on other architectures. Those that GODEBUG=cpu.<name>=off
	// names are left out.
	Features []string `json:"features,omitempty"`
}

// Machine describes the machine and the build. It reads no file: the features
// come from the CPUID instruction on amd64 and on Linux/arm64 from the auxiliary
// vector (HWCAP) that the kernel passed to the process, never from /proc/cpuinfo,
// which under an emulator describes another machine. It cannot fail and is safe
// for concurrent use.
func Machine() MachineInfo {
	m := MachineInfo{
		GOOS:         runtime.GOOS,
		GOARCH:       runtime.GOARCH,
		Level:        buildLevel(),
		NumCPU:       runtime.NumCPU(),
		PageSize:     os.Getpagesize(),
		CacheLinePad: int(unsafe.Sizeof(cpu.CacheLinePad{})),
		HardwareAES:  hardwareAES(),
	}
	for name, has := range cpuFeatures {
		if *has {
			m.Features = append(m.Features, name)
		}
	}
	slices.Sort(m.Features)
	return m
}

// Has reports whether Features names the feature.
func (m MachineInfo) Has(feature string) bool { return slices.Contains(m.Features, feature) }

// LogValue implements [slog.LogValuer] as a group with one attribute per field.
func (m MachineInfo) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("goos", m.GOOS),
		slog.String("goarch", m.GOARCH),
		slog.String("level", m.Level),
		slog.Int("num_cpu", m.NumCPU),
		slog.Int("page_size", m.PageSize),
		slog.Int("cache_line_pad", m.CacheLinePad),
		slog.Bool("hardware_aes", m.HardwareAES),
		slog.Any("features", m.Features))
}

// hardwareAES is hasAESGCMHardwareSupport of crypto/tls/cipher_suites.go.
func hardwareAES() bool {
	switch x86, arm, s390x := &cpu.X86, &cpu.ARM64, &cpu.S390X; runtime.GOARCH {
	case "ppc64", "ppc64le":
		return true
	default: // what is of another architecture is false
		return x86.HasAES && x86.HasPCLMULQDQ && x86.HasSSE41 && x86.HasSSSE3 ||
			arm.HasAES && arm.HasPMULL ||
			s390x.HasAES && s390x.HasAESCTR && s390x.HasGHASH
	}
}

var buildLevel = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "GOAMD64" || s.Key == "GOARM64" {
			return s.Value
		}
	}
	return ""
})

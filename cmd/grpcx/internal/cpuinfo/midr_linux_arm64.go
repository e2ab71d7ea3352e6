package cpuinfo

import (
	"encoding/binary"
	"os"
)

// From the kernel's uapi/linux/auxvec.h and asm/hwcap.h.
const (
	atHWCAP    = 16
	hwcapCPUID = 1 << 11 // programs may read the identification registers
)

// midr reads MIDR_EL1.
func midr() uint64

// register names the core that runs this process by its MIDR_EL1, which an
// emulator answers for the core that it emulates. See the kernel's
// Documentation/arch/arm64/cpu-feature-registers.rst.
func register() string {
	vector, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return ""
	}
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.NativeEndian.Uint64(vector) == atHWCAP && binary.NativeEndian.Uint64(vector[8:])&hwcapCPUID != 0 {
			return midrName(midr())
		}
	}
	return ""
}

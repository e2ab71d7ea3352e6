package cpuinfo

import (
	"os"
	"runtime"
)

// Model names the processor, and is empty where the system does not.
func Model() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // without it there may be the register
	return parse(string(text), runtime.GOARCH, register())
}

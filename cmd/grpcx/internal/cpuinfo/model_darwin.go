package cpuinfo

import "syscall"

// Model names the processor, and is empty where the system does not.
func Model() string {
	name, _ := syscall.Sysctl("machdep.cpu.brand_string")
	return name
}

package cpuinfo

import (
	"slices"
	"strings"
)

// parse names the processor by what /proc/cpuinfo says. On x86 that is a name;
// on Arm it is a number for each core, since cores differ. midr is the name by
// the register of the core that runs this process, empty where there is none.
func parse(text, goarch, midr string) string {
	var named, cores []string
	implementer := ""
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name", "cpu model", "cpu", "uarch":
			named = appendNew(named, value)
		case "CPU implementer":
			implementer = value
		case "CPU part":
			cores = appendNew(cores, armCore(implementer, value))
		}
	}
	native, other := named, cores
	if goarch == "arm64" || goarch == "arm" {
		native, other = cores, named
	}
	if len(native) > 0 {
		return strings.Join(native, ", ")
	}
	var parts []string
	if midr != "" {
		parts = append(parts, midr)
	}
	if len(other) > 0 {
		parts = append(parts, "emulated on "+strings.Join(other, ", "))
	}
	return strings.Join(parts, ", ")
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

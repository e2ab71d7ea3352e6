//go:build linux && !arm64

package cpuinfo

// register is for arm64.
func register() string { return "" }

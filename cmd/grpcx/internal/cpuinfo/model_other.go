//go:build !linux && !darwin

package cpuinfo

import "os"

// Model is what Windows puts into every environment, and nothing elsewhere.
func Model() string { return os.Getenv("PROCESSOR_IDENTIFIER") }

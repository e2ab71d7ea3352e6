//go:build !linux

package runtimex

// affinity is unknown: there is no quota that it could bound either.
func affinity() int { return 0 }

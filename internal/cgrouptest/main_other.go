//go:build !linux

package cgrouptest

// Main does nothing: there are no control groups here.
func Main() {}

// Close does nothing.
func Close() {}

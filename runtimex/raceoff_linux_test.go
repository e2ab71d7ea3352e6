//go:build !race

package runtimex_test

const raceEnabled = false

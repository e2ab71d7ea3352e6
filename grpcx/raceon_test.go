//go:build race

package grpcx_test

// slowdown divides the size of what the race detector makes slow.
const slowdown = 6

//go:build !unix

package server

import (
	"errors"
	"time"
)

func cpuTime() (time.Duration, error) {
	return 0, errors.New("the CPU time of a process is only read on Unix; run the benchmark there")
}

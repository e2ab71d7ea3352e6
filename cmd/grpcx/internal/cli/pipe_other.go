//go:build !windows

package cli

import "syscall"

// readerGone is what writing to a pipe without a reader fails with.
var readerGone = []error{syscall.EPIPE}

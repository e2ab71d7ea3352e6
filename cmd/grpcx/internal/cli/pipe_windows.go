package cli

import "syscall"

const errorNoData = syscall.Errno(232) // ERROR_NO_DATA

// readerGone is what writing to a pipe without a reader fails with.
var readerGone = []error{syscall.ERROR_BROKEN_PIPE, errorNoData}

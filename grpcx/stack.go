package grpcx

// callStack is how much stack a unary call gets at once, in bytes.
const callStack = 8 << 10

// growStack makes the goroutine's stack as large as a call is known to need. A
// call that has no stream worker runs on a new goroutine, whose stack would
// double, and be copied, several times on the way down: a sixth of what a small
// call costs in grpc-go. Where the stack is large enough already it costs a
// comparison.
//
//go:noinline
func growStack(never bool) {
	if never {
		// The frame is there on every path; only this one would clear it.
		var frame [callStack]byte
		touch(&frame)
	}
}

//go:noinline
func touch(frame *[callStack]byte) { frame[0] = 1 }

package grpcx

import (
	"testing"
	"unsafe"
)

// TestGrowStack finds out whether the compiler has left growStack its frame: a
// new goroutine that called it is not moved by going 6 KiB deep.
func TestGrowStack(t *testing.T) {
	moved := make(chan bool)
	go func() {
		growStack(false)
		var here byte
		before := uintptr(unsafe.Pointer(&here)) // compared, never followed
		goDeep()
		moved <- before != uintptr(unsafe.Pointer(&here))
	}()
	if <-moved {
		t.Error("the stack was moved after growStack, so it had not grown")
	}
}

//go:noinline
func goDeep() byte {
	var frame [6 << 10]byte
	return touchDeep(&frame)
}

//go:noinline
func touchDeep(frame *[6 << 10]byte) byte {
	frame[1]++
	return frame[len(frame)-1]
}

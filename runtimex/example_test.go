package runtimex_test

import (
	"fmt"
	"runtime/debug"

	"github.com/grpcx-go/sdk/runtimex"
)

func ExampleCurrent() {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(512 << 20))

	limit := runtimex.Current().GOMEMLIMIT
	fmt.Println(limit, limit.Source)
	// Output: 536870912 code
}

func ExampleSnapshot_String() {
	fmt.Println(runtimex.Snapshot{Value: 512 << 20})
	fmt.Println(runtimex.Snapshot{Value: runtimex.NoLimit})
	// Output:
	// 536870912
	// off
}

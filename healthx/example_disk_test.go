//go:build darwin || dragonfly || freebsd || linux

package healthx_test

import (
	"context"
	"fmt"

	"github.com/grpcx-go/sdk/healthx"
)

func ExampleDiskSpace() {
	fmt.Println(healthx.DiskSpace("/", 1<<10)(context.Background()))
	fmt.Println(healthx.DiskSpace("/no/such/volume", 1<<30)(context.Background()))
	// Output:
	// <nil>
	// disk space of "/no/such/volume": no such file or directory; check the path and that the volume is mounted
}

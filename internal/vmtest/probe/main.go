// Command probe prints what scripts/arm64.sh has to find under a model of a
// processor: the page size, and whether there are the atomic instructions of
// ARMv8.1 (LSE). Built with GOARM64=v8.1 it uses them without asking.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/cpu"
)

func main() {
	fmt.Printf("pages %d lse %t\n", os.Getpagesize(), cpu.ARM64.HasATOMICS)
}

// Command race has a data race. Built with the race detector it must fail:
// that shows that the detector works where the test machine runs it.
package main

import (
	"fmt"
	"sync"
)

func main() {
	var wg sync.WaitGroup
	n := 0
	for range 2 {
		wg.Go(func() { n++ })
	}
	wg.Wait()
	fmt.Println(n)
}

//go:build !unix

package healthx_test

import "time"

// cpuTime is not measured here, and not reported.
func cpuTime() time.Duration { return 0 }

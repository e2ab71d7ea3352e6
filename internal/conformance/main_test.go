package conformance_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"google.golang.org/grpc/grpclog"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(failing{grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)})
	leak.Main(m)
}

// failing panics where the interop client, which is made to be a program of its
// own, would end the process.
type failing struct{ grpclog.LoggerV2 }

func (failing) Fatal(args ...any)                 { panic(failure(fmt.Sprint(args...))) }
func (failing) Fatalln(args ...any)               { panic(failure(fmt.Sprintln(args...))) }
func (failing) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

type failure string

// heavy skips a test that `make test` has no time or software for.
func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("GRPCX_CONFORMANCE") == "" {
		t.Skip("runs with `make test-conformance`")
	}
}

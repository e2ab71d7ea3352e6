package vmtest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/leak"
)

// fakeEnv makes the test binary play qemu: it prints what a file holds.
const fakeEnv = "VMTEST_FAKE_QEMU"

func TestMain(m *testing.M) {
	if what := os.Getenv(fakeEnv); what != "" {
		os.Exit(fakeQEMU(what))
	}
	leak.Main(m)
}

func fakeQEMU(what string) int {
	transcript, then, _ := strings.Cut(what, "|")
	fmt.Print(transcript)
	switch then {
	case "fail":
		fmt.Fprintln(os.Stderr, "no such machine")
		return 1
	case "hang":
		time.Sleep(time.Hour) // until it is killed
	}
	return 0
}

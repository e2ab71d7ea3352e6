package benchcmd

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cpuinfo"
	"github.com/grpcx-go/sdk/runtimex"
)

// machine holds the facts that explain the figures.
type machine struct {
	runtimex.MachineInfo

	// CPUModel is the processor's name, or "" where the system tells none.
	// Under an emulator it is followed by "emulated on" and the real one.
	CPUModel string `json:"cpu_model"`
	// CPUQuota is the tightest CPU limit of the control groups, in CPUs; 0 is
	// none.
	CPUQuota float64 `json:"cpu_quota"`
	// GOMAXPROCS is that of the server process.
	GOMAXPROCS int `json:"gomaxprocs"`
}

// readMachine leaves a fact empty that the system does not tell: no figure
// depends on it.
func readMachine(gomaxprocs int) machine {
	limits, _ := runtimex.Detect(os.DirFS("/"))
	return machine{
		MachineInfo: runtimex.Machine(),
		CPUModel:    cpuinfo.Model(),
		CPUQuota:    limits.CPUQuota,
		GOMAXPROCS:  gomaxprocs,
	}
}

func (m machine) platform() string {
	return strings.TrimSpace(m.GOOS + "/" + m.GOARCH + " " + m.Level)
}

func (m machine) cpus() string {
	quota := "no quota"
	if m.CPUQuota > 0 {
		quota = fmt.Sprintf("quota %.3g", m.CPUQuota)
	}
	return fmt.Sprintf("%d, %s, GOMAXPROCS %d", m.NumCPU, quota, m.GOMAXPROCS)
}

func (m machine) pages() string { return fmt.Sprintf("%d KiB", m.PageSize>>10) }

// software holds versions.
type software struct {
	SDK  string `json:"sdk"`
	Go   string `json:"go"`
	GRPC string `json:"grpc"`
}

const sdkModule = "github.com/grpcx-go/sdk"

// sdkVersion is "(devel)" for a build from a checkout.
func sdkVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == sdkModule && m.Replace == nil {
			return m.Version
		}
	}
	return "(devel)"
}

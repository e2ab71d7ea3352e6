package runtimex

import (
	"runtime/debug"
	"strings"
)

// native says what the settings of GODEBUG leave of the runtime's own tracking
// of CPU limits.
type native struct {
	// quota is true when the default of GOMAXPROCS regards the CPU quota of
	// the process's own control group (containermaxprocs=1), and updates when
	// it follows changes (updatemaxprocs=1).
	quota, updates bool
	// env is the setting in the environment that switched one of them off, if
	// it was that: somebody's wish for this process, unlike a line of go.mod.
	env string
}

// nativeOf reads the GODEBUG variable and the defaults that the build took from
// the go line, the godebug lines and the //go:debug lines of the main module.
func nativeOf(godebug, buildDefault string) native {
	n := native{quota: true, updates: true}
	n.read(buildDefault)
	if n.read(godebug); !n.quota || !n.updates {
		for kv := range strings.SplitSeq(godebug, ",") {
			if kv == "containermaxprocs=0" && !n.quota || kv == "updatemaxprocs=0" && !n.updates {
				n.env = kv
			}
		}
	}
	return n
}

func (n *native) read(settings string) {
	for kv := range strings.SplitSeq(settings, ",") {
		switch name, value, _ := strings.Cut(kv, "="); name {
		case "containermaxprocs":
			n.quota = value != "0"
		case "updatemaxprocs":
			n.updates = value != "0"
		}
	}
}

// buildGODEBUG returns the defaults of GODEBUG that were built in.
func buildGODEBUG() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "DefaultGODEBUG" {
			return s.Value
		}
	}
	return ""
}

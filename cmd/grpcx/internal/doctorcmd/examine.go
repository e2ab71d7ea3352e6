package doctorcmd

import (
	"context"
	"slices"

	"github.com/grpcx-go/sdk/runtimex"
)

// An examination is what the checks share.
type examination struct {
	*report
	host host
	opts *options
}

// examine makes every check. It changes nothing.
func examine(ctx context.Context, h host, o *options) *report {
	r := &report{Schema: schema, Machine: machine{h.machine, h.cpuModel}}
	e := &examination{r, h, o}
	wall, monotonic := h.now()
	e.checkBuild()
	e.checkContainer()
	e.checkLimits()
	e.checkRuntime()
	e.checkGODEBUG()
	e.checkMachine()
	e.checkFiles()
	e.checkKernel()
	e.checkIdentity()
	e.checkAddrs(ctx)
	e.checkClock(wall, monotonic) // last, so that it has seen some time pass
	r.sum()
	return r
}

func (e *examination) checkBuild() {
	e.Build = build{Version: e.host.version, GoVersion: e.host.goVersion}
	e.Build.FIPS140, e.Build.FIPS140Name = e.host.fips()
	e.okf("build.go", "runtime.Version", "%s on %s/%s", e.Build.GoVersion, e.host.machine.GOOS, e.host.machine.GOARCH)
	mode := "off"
	if e.Build.FIPS140 {
		mode = "on"
	}
	e.okf("build.fips140", "crypto/fips140", "FIPS 140-3 mode is %s in this process (module: %s); GODEBUG=fips140=on or GOFIPS140 at build time switches it on", mode, e.Build.FIPS140Name)
}

func (e *examination) checkContainer() {
	h := e.host
	kubernetes := h.getenv("KUBERNETES_SERVICE_HOST") != "" || h.exists("var/run/secrets/kubernetes.io/serviceaccount")
	const source = "environment, /.dockerenv, /run/.containerenv"
	kind := h.getenv("container") // systemd-nspawn, LXC and others
	switch {
	case kubernetes:
		kind = "kubernetes"
	case h.getenv("ECS_CONTAINER_METADATA_URI_V4") != "":
		kind = "ecs"
	case h.exists(".dockerenv"):
		kind = "docker"
	case h.exists("run/.containerenv"):
		kind = "podman"
	}
	e.Container.Kind = kind
	switch kind {
	case "":
		e.okf("container.kind", source, "no container was recognised")
	case "ecs":
		e.warn("container.kind", "ECS_CONTAINER_METADATA_URI_V4",
			"Amazon ECS: the limits of the task apply to a control group that a container cannot see",
			"call runtimex.Apply(runtimex.WithECS()) before Run, which then asks the metadata endpoint")
	default:
		e.okf("container.kind", source, "%s", kind)
	}
}

// cgroupVersions returns those of the levels, in order.
func cgroupVersions(levels []runtimex.Level) []int {
	versions := []int{} // never null
	for _, l := range levels {
		if !slices.Contains(versions, l.Version) {
			versions = append(versions, l.Version)
		}
	}
	slices.Sort(versions)
	return versions
}

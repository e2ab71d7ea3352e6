package cgrouptest

import (
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
)

// Placement is what else than the group a process starts with.
type Placement struct {
	// CPUs is the affinity mask; none means that of the test.
	CPUs []int
	View View
}

// Start starts cmd inside the group. The caller waits for it; what is left
// when the test ends is killed.
func (g *Group) Start(cmd *exec.Cmd, p Placement) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	s := stub{Path: cmd.Path, CPUs: p.CPUs, View: p.View, Dirs: g.dirs}
	if g.Version() == 2 {
		dir, err := os.Open(g.dirs[0])
		if err != nil {
			return err
		}
		defer dir.Close()
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	} else {
		s.Join = g.dirs
	}
	if len(s.Join) > 0 || len(s.CPUs) > 0 || s.View != Host {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		cmd.Path, cmd.Env = self, append(cmd.Environ(), stubEnv+"="+string(text))
	}
	return cmd.Start()
}

package vmtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Initrd is the initial file system of a machine.
type Initrd struct {
	// Init is the path on the host of the program in the subdirectory init,
	// built for the machine.
	Init string
	// Programs are executables on the host by their path in the machine.
	Programs map[string]string
	// Packages are directories of Go packages on the host by their path in the
	// machine. Of what is below them, only testdata goes along.
	Packages map[string]string
	// Plan is what init does.
	Plan Plan
}

// Write writes the archive. It is not compressed: an emulated processor takes
// longer to unpack it than the host to hand it over.
func (i *Initrd) Write(w io.Writer) error {
	buf := bufio.NewWriterSize(w, 1<<20)
	c := newCPIOWriter(buf)
	for _, dir := range []string{"/dev", "/proc", "/sys", "/tmp"} {
		if err := c.dir(dir); err != nil {
			return err
		}
	}
	// The kernel opens it for init before anything can be mounted on /dev.
	if err := c.device("/dev/console", 5, 1); err != nil {
		return err
	}
	if err := c.file("/init", i.Init, true); err != nil {
		return err
	}
	plan, err := json.Marshal(i.Plan)
	if err != nil {
		return err
	}
	if err := c.bytes(PlanFile, plan); err != nil {
		return err
	}
	for name, source := range i.Programs {
		if err := c.file(name, source, true); err != nil {
			return err
		}
	}
	for name, source := range i.Packages {
		if err := c.pkg(name, os.DirFS(source)); err != nil {
			return fmt.Errorf("package directory %s: %w", source, err)
		}
	}
	if err := c.close(); err != nil {
		return err
	}
	return buf.Flush()
}

package runtimex

import (
	"errors"
	"syscall"

	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

// pressure reads the statistics of the groups that the last read found. The
// files are opened for it, since it is asked for seldom. What cannot be read
// is zero and joined to the error as a *FileError.
func (r *reader) pressure() (Pressure, error) {
	var p Pressure
	var errs []error
	try := func(dir, name string, parse func([]byte) error) {
		if err := r.statistic(dir, name, parse); err != nil {
			errs = append(errs, err)
		}
	}
	try(r.leaves.cpu, "cpu.stat", func(data []byte) error {
		s, err := parse.ReadCPUStat(data)
		p.CPU = CPUPressure(s)
		return err
	})
	memory := func(data []byte) error {
		e, err := parse.ReadMemoryEvents(data)
		p.Memory = MemoryPressure(e)
		return err
	}
	if r.leaves.memory == r.leaves.v2 {
		try(r.leaves.memory, "memory.events", memory)
	} else {
		try(r.leaves.memory, "memory.oom_control", memory)
		try(r.leaves.memory, "memory.failcnt", func(data []byte) (err error) {
			p.Memory.Max, err = parse.Counter(data)
			return err
		})
	}
	stall := func(name string, s *Stall) {
		try(r.leaves.v2, name, func(data []byte) error {
			psi, err := parse.ReadPSI(data)
			*s = Stall{Present: err == nil, Some: StallTime(psi.Some), Full: StallTime(psi.Full)}
			return err
		})
	}
	stall("cpu.pressure", &p.CPUStall)
	stall("memory.pressure", &p.MemoryStall)
	stall("io.pressure", &p.IOStall)
	return p, errors.Join(errs...)
}

// statistic reads one file below dir, if there is such a group and file.
func (r *reader) statistic(dir, name string, parse func([]byte) error) error {
	if dir == "" {
		return nil
	}
	if dir != "." {
		name = dir + "/" + name
	}
	data, err := r.peek(name)
	switch {
	case err == nil:
		err = parse(data)
	case gone(err), errors.Is(err, syscall.EOPNOTSUPP):
		return nil // no such controller, or a kernel started with psi=0
	}
	if err != nil {
		return &FileError{"/" + name, err}
	}
	return nil
}

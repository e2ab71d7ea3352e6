package parse

import (
	"bytes"
	"math/bits"
	"strconv"
)

// maxCPU bounds the CPU numbers that are believed; Linux has at most 8192.
const maxCPU = 1 << 16

// CPUSet is a set of CPU numbers: bit n%64 of word n/64.
type CPUSet []uint64

// Len returns how many CPUs are in the set.
func (s CPUSet) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// And returns the CPUs that are in both sets.
func (s CPUSet) And(t CPUSet) CPUSet {
	both := make(CPUSet, min(len(s), len(t)))
	for i := range both {
		both[i] = s[i] & t[i]
	}
	return both
}

// CPUsAllowed reads the affinity mask from /proc/self/status, whose line is
// "Cpus_allowed:\tff,ffffffff": groups of 32 bits in hexadecimal, the highest
// CPUs first. It may name CPUs that are not present.
//
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func CPUsAllowed(status []byte) (CPUSet, error) {
	const want = `a line "Cpus_allowed:" with a mask in hexadecimal`
	for line := range bytes.Lines(status) {
		mask, found := bytes.CutPrefix(line, []byte("Cpus_allowed:"))
		if !found {
			continue
		}
		mask, complete := bytes.CutSuffix(mask, newline)
		set, ok := cpuMask(bytes.TrimLeft(mask, " \t"))
		if !complete || !ok || set.Len() == 0 {
			return nil, malformed(line, want)
		}
		return set, nil
	}
	return nil, malformed(status, want)
}

func cpuMask(text []byte) (CPUSet, bool) {
	groups := bytes.Split(text, []byte{','})
	if len(groups) > maxCPU/32 {
		return nil, false
	}
	set := make(CPUSet, (len(groups)+1)/2)
	for i, group := range groups {
		n, err := strconv.ParseUint(string(group), 16, 32)
		if err != nil {
			return nil, false
		}
		low := len(groups) - 1 - i // the last group holds CPUs 0 to 31
		set[low/2] |= n << (32 * (low % 2))
	}
	return set, true
}

// CPUList reads a list such as "0-3,8\n", the format of
// /sys/devices/system/cpu/online and of cpuset files.
//
// https://man7.org/linux/man-pages/man7/cpuset.7.html
func CPUList(data []byte) (CPUSet, error) {
	const want = `CPU numbers and ranges such as "0-3,8", and a newline`
	line, complete := firstLine(data)
	if !complete {
		return nil, malformed(data, want)
	}
	var set CPUSet
	for item := range bytes.SplitSeq(line, []byte{','}) {
		from, to, isRange := bytes.Cut(item, []byte{'-'})
		if !isRange {
			to = from
		}
		first, ok1 := unsigned(from)
		last, ok2 := unsigned(to)
		if !ok1 || !ok2 || first > last || last >= maxCPU {
			return nil, malformed(data, want)
		}
		for int(last/64) >= len(set) {
			set = append(set, 0)
		}
		for cpu := first; cpu <= last; cpu++ {
			set[cpu/64] |= 1 << (cpu % 64)
		}
	}
	return set, nil
}

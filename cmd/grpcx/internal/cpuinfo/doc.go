// Package cpuinfo names the processor that this process sees.
//
// Under an emulator that is the emulated one, followed by the real one where
// both are known: "Cortex-A53, emulated on AMD EPYC". /proc/cpuinfo alone would
// not do: older versions of qemu-user show the file of the machine under them.
package cpuinfo

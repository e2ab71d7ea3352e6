package runtimex

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// cpuFeatures are the features that [Machine] looks for.
var cpuFeatures = map[string]map[string]*bool{
	"amd64": {
		"adx":       &cpu.X86.HasADX,
		"aes":       &cpu.X86.HasAES,
		"avx":       &cpu.X86.HasAVX,
		"avx2":      &cpu.X86.HasAVX2,
		"avx512bw":  &cpu.X86.HasAVX512BW,
		"avx512dq":  &cpu.X86.HasAVX512DQ,
		"avx512f":   &cpu.X86.HasAVX512F,
		"avx512vl":  &cpu.X86.HasAVX512VL,
		"bmi1":      &cpu.X86.HasBMI1,
		"bmi2":      &cpu.X86.HasBMI2,
		"cx16":      &cpu.X86.HasCX16,
		"erms":      &cpu.X86.HasERMS,
		"fma":       &cpu.X86.HasFMA,
		"pclmulqdq": &cpu.X86.HasPCLMULQDQ,
		"popcnt":    &cpu.X86.HasPOPCNT,
		"rdrand":    &cpu.X86.HasRDRAND,
		"rdseed":    &cpu.X86.HasRDSEED,
		"sse4_1":    &cpu.X86.HasSSE41,
		"sse4_2":    &cpu.X86.HasSSE42,
		"ssse3":     &cpu.X86.HasSSSE3,
	},
	"arm64": {
		"aes":     &cpu.ARM64.HasAES,
		"asimd":   &cpu.ARM64.HasASIMD,
		"asimddp": &cpu.ARM64.HasASIMDDP,
		"asimdhp": &cpu.ARM64.HasASIMDHP,
		"atomics": &cpu.ARM64.HasATOMICS,
		"crc32":   &cpu.ARM64.HasCRC32,
		"dit":     &cpu.ARM64.HasDIT,
		"i8mm":    &cpu.ARM64.HasI8MM,
		"lrcpc":   &cpu.ARM64.HasLRCPC,
		"pmull":   &cpu.ARM64.HasPMULL,
		"sha1":    &cpu.ARM64.HasSHA1,
		"sha2":    &cpu.ARM64.HasSHA2,
		"sha3":    &cpu.ARM64.HasSHA3,
		"sha512":  &cpu.ARM64.HasSHA512,
		"sm4":     &cpu.ARM64.HasSM4,
		"sve":     &cpu.ARM64.HasSVE,
		"sve2":    &cpu.ARM64.HasSVE2,
	},
}[runtime.GOARCH]

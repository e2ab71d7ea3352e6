package runtimex_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

func TestMachine(t *testing.T) {
	t.Parallel()
	m := runtimex.Machine()
	assert.Equal(t, []string{m.GOOS, m.GOARCH}, []string{runtime.GOOS, runtime.GOARCH})
	assert.Equal(t, m.NumCPU, runtime.NumCPU())
	assert.Equal(t, m.PageSize, os.Getpagesize())
	for arch, want := range map[string]struct {
		pad   int
		level string
		basic []string // of every machine of that architecture that Go runs on
	}{
		"amd64": {64, `^v[1-4]$`, nil},
		"arm64": {128, `^v[89]\.\d(,\w+)*$`, []string{"asimd"}},
	} {
		if arch == runtime.GOARCH {
			assert.Equal(t, m.CacheLinePad, want.pad)
			assert.True(t, regexp.MustCompile(want.level).MatchString(m.Level), m.Level)
			for _, feature := range want.basic {
				assert.True(t, m.Has(feature), feature)
			}
		}
	}
	assert.True(t, slices.IsSorted(m.Features))
	assert.True(t, !m.Has("") && !m.Has("no such feature"))

	if len(m.Features) > 0 {
		m.Features[0] = "changed"
		assert.True(t, !runtimex.Machine().Has("changed"), "the features are shared")
	}
}

func TestMachineEncodings(t *testing.T) {
	t.Parallel()
	m := runtimex.MachineInfo{
		GOOS: "linux", GOARCH: "arm64", Level: "v8.0", NumCPU: 4, PageSize: 65536, CacheLinePad: 128,
		HardwareAES: true, Features: []string{"aes", "atomics"},
	}
	assert.True(t, m.Has("aes") && !m.Has("sve"))
	text, err := json.Marshal(m)
	assert.NoError(t, err)
	assert.Equal(t, string(text), `{"goos":"linux","goarch":"arm64","level":"v8.0","num_cpu":4,"page_size":65536,`+
		`"cache_line_pad":128,"hardware_aes":true,"features":["aes","atomics"]}`)
	var back runtimex.MachineInfo
	assert.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, back, m)

	var line bytes.Buffer
	slog.New(slog.NewTextHandler(&line, nil)).Info("start", "machine", m)
	assert.Contains(t, line.String(), "machine.goos=linux machine.goarch=arm64 machine.level=v8.0 machine.num_cpu=4 "+
		`machine.page_size=65536 machine.cache_line_pad=128 machine.hardware_aes=true machine.features="[aes atomics]"`)
}

// TestMachineEmulated: each model of an emulated CPU shows its own features and
// not those of the machine under it.
func TestMachineEmulated(t *testing.T) {
	t.Parallel()
	if os.Getenv("GRPCX_EMULATOR") == "" || runtime.GOARCH != "arm64" {
		t.Skip("this is no emulated arm64")
	}
	model, _, _ := strings.Cut(os.Getenv("QEMU_CPU"), ",")
	want, known := map[string]struct{ atomics, sve bool }{
		"":            {true, true}, // max
		"max":         {true, true},
		"a64fx":       {true, true},
		"neoverse-n1": {true, false},
		"cortex-a76":  {true, false},
		"cortex-a72":  {false, false},
		"cortex-a57":  {false, false},
		"cortex-a53":  {false, false},
	}[model]
	if !known {
		t.Skipf("what a %s has is not known", model)
	}
	m := runtimex.Machine()
	assert.Equal(t, m.Has("atomics"), want.atomics, model)
	assert.Equal(t, m.Has("sve"), want.sve, model)
	for _, feature := range []string{"aes", "pmull", "sha1", "sha2", "crc32"} {
		assert.True(t, m.Has(feature), feature)
	}
	assert.True(t, m.HardwareAES)
	if size := os.Getenv("QEMU_PAGESIZE"); size != "" {
		assert.Equal(t, strconv.Itoa(m.PageSize), size)
	}
}

// TestMachineCPUInfo compares with what the kernel says, where that is said
// about the machine the test runs on.
func TestMachineCPUInfo(t *testing.T) {
	t.Parallel()
	if os.Getenv("GRPCX_EMULATOR") != "" {
		t.Skip("under an emulator the file describes another machine")
	}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip(err)
	}
	// "flags" on amd64, "Features" on arm64.
	line := regexp.MustCompile(`(?m)^(?:flags|Features)\s*: (.*)$`).FindSubmatch(text)
	if line == nil || (runtime.GOARCH == "arm64") == bytes.HasPrefix(line[0], []byte("flags")) {
		t.Skip("the file says nothing about the features of this architecture")
	}
	flags := strings.Fields(string(line[1]))
	m := runtimex.Machine()
	for _, feature := range runtimex.CPUFeatureNames() {
		if feature == "rdrand" || feature == "rdseed" {
			continue // the kernel hides those that are broken
		}
		assert.Equal(t, m.Has(feature), slices.Contains(flags, feature), feature)
	}
}

// helloOfClient returns the cipher suites that crypto/tls offers here, in its
// order.
func helloOfClient(t *testing.T) (suites []uint16) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		defer b.Close()
		// The slow part of a handshake under an emulator is not needed.
		_ = tls.Client(b, &tls.Config{ServerName: "localhost", CurvePreferences: []tls.CurveID{tls.X25519}}).Handshake()
	}()
	enough := errors.New("enough")
	err := tls.Server(a, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		suites = hello.CipherSuites
		return nil, enough
	}}).Handshake()
	assert.ErrorIs(t, err, enough)
	return suites
}

// TestMachineHardwareAES compares with what crypto/tls does.
func TestMachineHardwareAES(t *testing.T) {
	t.Parallel()
	suites := helloOfClient(t)
	aes := slices.Index(suites, tls.TLS_AES_128_GCM_SHA256)
	chacha := slices.Index(suites, tls.TLS_CHACHA20_POLY1305_SHA256)
	assert.True(t, aes >= 0 && chacha >= 0, fmt.Sprint(suites))
	hardware := runtimex.Machine().HardwareAES
	assert.Equal(t, hardware, aes < chacha)

	const inChild = "RUNTIMEX_TEST_AES_OFF"
	if os.Getenv(inChild) != "" {
		assert.True(t, !hardware, "GODEBUG=cpu.aes=off changed nothing")
		assert.True(t, !runtimex.Machine().Has("aes"))
		return
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("GODEBUG=cpu.aes=off is not known on " + runtime.GOARCH)
	}
	self, err := os.Executable()
	assert.NoError(t, err)
	argv := []string{self}
	if emulator := os.Getenv("GRPCX_EMULATOR"); emulator != "" {
		argv = []string{emulator, os.Args[0]} // see startChild
	}
	cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], "-test.v", "-test.run=^TestMachineHardwareAES$")...)
	cmd.Env = append(os.Environ(), inChild+"=1", "GODEBUG=cpu.aes=off")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
	assert.Contains(t, string(out), "--- PASS: TestMachineHardwareAES")
}

func ExampleMachine() {
	m := runtimex.Machine()
	slog.Info("starting", "machine", m)
	fmt.Println(m.GOOS == runtime.GOOS, m.PageSize >= 4096, m.Has("no such feature"))
	// Output: true true false
}

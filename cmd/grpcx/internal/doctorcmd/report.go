package doctorcmd

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/grpcx-go/sdk/runtimex"
)

// level says how bad a finding is.
type level string

const (
	levelOK      level = "ok"
	levelWarning level = "warning"
	levelError   level = "error"
)

// finding is one result of a check.
type finding struct {
	ID    string `json:"id"`
	Level level  `json:"level"`
	Text  string `json:"text"`
	// Remedy is what to do; empty when nothing needs to be done.
	Remedy string `json:"remedy"`
	// Source is what was looked at: a file, a variable, a call.
	Source string `json:"source"`
}

// schema names the format of the JSON. Keys may be added to it; one that goes,
// or means something else, makes it another schema.
const schema = "grpcx-doctor/1"

// report is what doctor prints.
type report struct {
	Schema   string `json:"schema"`
	Result   level  `json:"result"` // the worst of the findings
	Errors   int    `json:"errors"`
	Warnings int    `json:"warnings"`

	Build     build           `json:"build"`
	Machine   machine         `json:"machine"`
	Container container       `json:"container"`
	Limits    runtimex.Limits `json:"limits"`
	Runtime   decisions       `json:"runtime"`
	Server    server          `json:"server"`
	Kernel    kernel          `json:"kernel"`
	Clock     clock           `json:"clock"`
	TLS       *identity       `json:"tls"` // null without files, or with bad ones

	Findings []finding `json:"findings"`
}

type build struct {
	Version     string `json:"version"`
	GoVersion   string `json:"go_version"`
	FIPS140     bool   `json:"fips140"`
	FIPS140Name string `json:"fips140_module"`
}

type machine struct {
	runtimex.MachineInfo

	// CPUModel is the processor's name, empty where the system tells none. A
	// program under an emulator sees the emulated one.
	CPUModel string `json:"cpu_model"`
}

type container struct {
	// Kind is "kubernetes", "ecs", "docker", "podman", what the variable
	// container says, or empty where no container was recognised.
	Kind string `json:"kind"`
	// CgroupVersions are those of the hierarchies with this process's limits.
	CgroupVersions []int `json:"cgroup_versions"`
	// Pressure is null where there are no control groups.
	Pressure *runtimex.Pressure `json:"pressure"`
}

// decisions are what the SDK does with the settings of the runtime.
type decisions struct {
	GOMAXPROCS decision `json:"gomaxprocs"`
	GOMEMLIMIT decision `json:"gomemlimit"`
	GOGC       decision `json:"gogc"`
}

type decision struct {
	Value      int64           `json:"value"`
	WithoutSDK int64           `json:"without_sdk"`
	Source     runtimex.Source `json:"source"`
	Reason     string          `json:"reason"`
}

type server struct {
	MaxConnections int `json:"max_connections"`
	// The limits of open files, 0 where there are none. The Go runtime raises
	// the soft one at its start.
	FilesSoft uint64 `json:"files_soft"`
	FilesHard uint64 `json:"files_hard"`
}

// kernel holds settings of Linux; empty or 0 where they cannot be read.
type kernel struct {
	Release        string `json:"release"`
	Somaxconn      int    `json:"somaxconn"`
	EphemeralFirst int    `json:"ephemeral_first"`
	EphemeralLast  int    `json:"ephemeral_last"`
	HugePages      string `json:"transparent_hugepage"`
}

type clock struct {
	Time time.Time `json:"time"`
	// Synchronized is null where the kernel does not say.
	Synchronized *bool `json:"synchronized"`
	// MaxErrorUS is the kernel's bound of the error, in microseconds.
	MaxErrorUS int64 `json:"max_error_us"`
}

type identity struct {
	Subject    string    `json:"subject"`
	SANs       []string  `json:"sans"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	ClientAuth string    `json:"client_auth"`
	ClientCAs  int       `json:"client_cas"`
	CRLs       int       `json:"crls"`
}

func (r *report) okf(id, source, format string, args ...any) {
	r.Findings = append(r.Findings, finding{id, levelOK, fmt.Sprintf(format, args...), "", source})
}

func (r *report) warn(id, source, text, remedy string) {
	r.Findings = append(r.Findings, finding{id, levelWarning, text, remedy, source})
}

func (r *report) fail(id, source, text, remedy string) {
	r.Findings = append(r.Findings, finding{id, levelError, text, remedy, source})
}

// sum counts the findings.
func (r *report) sum() {
	r.Result = levelOK
	for _, f := range r.Findings {
		switch f.Level {
		case levelOK:
		case levelWarning:
			r.Warnings++
		case levelError:
			r.Errors++
		}
	}
	switch {
	case r.Errors > 0:
		r.Result = levelError
	case r.Warnings > 0:
		r.Result = levelWarning
	}
}

// counts says how many findings need attention.
func (r *report) counts() string {
	return plural(r.Errors, "error") + " and " + plural(r.Warnings, "warning")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (r *report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

func (r *report) writeText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", r.Result, r.counts())
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.ID))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", f.Level, width, f.ID, printable(f.Text))
		if f.Level == levelOK {
			continue
		}
		fmt.Fprintf(&b, "%*s  remedy: %s\n", len("warning  ")+width, "", printable(f.Remedy))
		fmt.Fprintf(&b, "%*s  source: %s\n", len("warning  ")+width, "", printable(f.Source))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable keeps names of files and groups from controlling the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, s)
}

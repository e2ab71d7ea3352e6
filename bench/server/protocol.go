package server

// EnvVar carries an [Order], as JSON, to a process that is to serve.
const EnvVar = "GRPCX_BENCH_SERVER"

// Order says what a process is to do. With neither field it is refused.
type Order struct {
	// List makes it answer with the names of its stacks and end.
	List bool `json:"list,omitempty"`
	// Stack makes it serve until its standard input ends, which it does with
	// the measuring process too, however that ended.
	Stack string `json:"stack,omitempty"`
	// CertDir is the directory of the certificates, see devcert.Dir. Empty
	// serves plaintext, otherwise TLS with client certificates.
	CertDir string `json:"cert_dir,omitempty"`
	// CPUProfile names a file to write a CPU profile to, from start to end.
	CPUProfile string `json:"cpu_profile,omitempty"`
}

// Mark begins every line that answers the measuring process. Libraries write
// other lines to the standard output as they please.
const Mark = "grpcx-bench: "

// Hello is the first line that a serving process writes, when it accepts
// connections.
type Hello struct {
	Addr string `json:"addr"`
}

// What the measuring process writes, a line each; every reply is a line with a
// Usage.
const (
	// Read is answered at once.
	Read = "read"
	// ReadAfterGC runs the garbage collector first, so that no process pays in
	// its turn for what it left behind before.
	ReadAfterGC = "gc"
	// ReadSettled runs it twice, which also empties sync.Pools.
	ReadSettled = "settled"
)

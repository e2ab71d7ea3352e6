package benchcmd

// order is the first thing that the server process reads: plaintext where the
// files are empty.
type order struct {
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	ClientCA string `json:"client_ca"`
}

// hello is what it answers when it serves.
type hello struct {
	Addr       string `json:"addr"`
	GOMAXPROCS int    `json:"gomaxprocs"`
}

// question asks for a usage.
type question struct {
	// Collections is how often the garbage is collected first.
	Collections int `json:"collections"`
}

var (
	atOnce = question{}
	// fresh makes no load pay for what the one before it left.
	fresh = question{1}
	// settled also empties sync.Pools, which takes two collections.
	settled = question{2}
)

// usage is what the server process has used since it started.
type usage struct {
	CPU    int64  `json:"cpu"`    // user and system time in nanoseconds
	Allocs uint64 `json:"allocs"` // heap objects
	Memory int64  `json:"memory"` // heap and stacks in use now, in bytes
}

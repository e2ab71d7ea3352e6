package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/grpcx-go/sdk/bench/server"
)

// replies reads what a server process answers. What else it writes to its
// standard output goes to the standard error of this process.
type replies struct {
	stack string
	lines *bufio.Reader
}

func (r *replies) next(v any) error {
	for {
		line, err := r.lines.ReadString('\n')
		if text, ok := strings.CutPrefix(line, server.Mark); ok && err == nil {
			return json.Unmarshal([]byte(text), v)
		}
		if line != "" {
			fmt.Fprintf(os.Stderr, "%s: %s\n", r.stack, strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			return err
		}
	}
}

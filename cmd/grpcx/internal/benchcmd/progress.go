package benchcmd

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells what is measured: on a line that it rewrites where that is a
// terminal, and on a line each elsewhere.
//
// A nil progress tells nothing.
type progress struct {
	out      io.Writer
	terminal bool
	began    time.Time
}

func newProgress(out io.Writer) *progress {
	return &progress{out: out, terminal: isTerminal(out), began: time.Now()}
}

// rewrite goes to the start of a line and clears it.
const rewrite = "\r\x1b[K"

func (p *progress) note(what string, done, of int) {
	if p == nil {
		return
	}
	text := fmt.Sprintf("%d of %d: %s", done+1, of, what)
	if done > 0 {
		left := time.Since(p.began) / time.Duration(done) * time.Duration(of-done)
		text += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	if p.terminal {
		text = rewrite + text
	} else {
		text += "\n"
	}
	_, _ = io.WriteString(p.out, text)
}

func (p *progress) end() {
	if p != nil && p.terminal {
		_, _ = io.WriteString(p.out, rewrite)
	}
}

// isTerminal is true of the null device too, where nothing is lost.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/grpcx-go/sdk/internal/vmtest"
)

// console is the serial line to the host. Events get lines of their own, even
// when a job's output does not end with a newline.
type console struct {
	mu     sync.Mutex
	w      io.Writer
	inLine bool
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) > 0 {
		c.inLine = p[len(p)-1] != '\n'
	}
	return c.w.Write(p)
}

func (c *console) send(e vmtest.Event) {
	text, err := json.Marshal(e)
	if err != nil {
		text = fmt.Appendf(nil, `{"kind":%q,"text":%q}`, vmtest.KindFatal, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inLine {
		fmt.Fprintln(c.w)
	}
	c.inLine = false
	fmt.Fprintf(c.w, "%s%s\n", vmtest.Mark, text)
}

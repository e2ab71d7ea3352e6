package benchcmd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/benchcmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

// The server's own command greets, answers each question, and ends with its
// input.
func TestServe(t *testing.T) {
	in, ask := io.Pipe()
	replies, out := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(t.Context(), cli.Streams{In: in, Out: out, Err: &errs}, []string{"bench", "serve"}, benchcmd.New)
		_ = out.Close()
	}()
	lines := bufio.NewScanner(replies)
	say := func(text string, reply any) {
		t.Helper()
		_, err := io.WriteString(ask, text+"\n")
		assert.NoError(t, err)
		assert.True(t, lines.Scan(), "no reply")
		assert.NoError(t, json.Unmarshal(lines.Bytes(), reply))
	}
	var hello struct {
		Addr       string
		Gomaxprocs int
	}
	say(`{}`, &hello)
	assert.Contains(t, hello.Addr, "127.0.0.1:")
	assert.True(t, hello.Gomaxprocs > 0)
	type usage struct{ CPU, Allocs, Memory int64 }
	var last usage
	for _, question := range []string{`{}`, `{"collections":1}`, `{"collections":2}`} {
		var u usage
		say(question, &u)
		assert.True(t, u.CPU >= last.CPU && u.Allocs > last.Allocs && u.Memory > 0, question)
		last = u
	}
	assert.NoError(t, ask.Close())
	assert.Equal(t, <-ended, cli.OK)
	assert.Equal(t, errs.String(), "")
}

func TestServeRefusals(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.crt")
	for _, tt := range []struct{ in, want string }{
		{"", "started by grpcx bench, run that"},
		{"hello", "started by grpcx bench, run that"},
		{`{"cert":"` + none + `","key":"` + none + `","client_ca":"` + none + `"}`, none},
		{`{} nonsense`, "a question cannot be read"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), cli.Streams{In: strings.NewReader(tt.in), Out: &out, Err: &errs}, []string{"bench", "serve"}, benchcmd.New)
		assert.Equal(t, code, cli.Failed, tt.in)
		assert.Contains(t, errs.String(), tt.want)
	}
}

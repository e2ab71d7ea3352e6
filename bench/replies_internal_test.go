package bench

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/bench/server"
	"github.com/grpcx-go/sdk/internal/assert"
)

// A framework that logs JSON to the standard output does not answer for its
// process.
func TestRepliesSkipsOtherLines(t *testing.T) {
	text := `{"allocs":1,"level":"stat"}` + "\n" + server.Mark + `{"allocs":7}` + "\n\n" + server.Mark + `{"allocs":8}` + "\ncut"
	r := &replies{"test", bufio.NewReader(strings.NewReader(text))}
	for _, want := range []uint64{7, 8} {
		var u server.Usage
		assert.NoError(t, r.next(&u))
		assert.Equal(t, u.Allocs, want)
	}
	var u server.Usage
	assert.ErrorIs(t, r.next(&u), io.EOF)
}

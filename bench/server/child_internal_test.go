package server

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

func TestObeyRefusals(t *testing.T) {
	broken := errors.New("broken")
	stacks := []Stack{{Name: "a"}, {Name: "b", Serve: func(*Env) error { return broken }}}
	assert.ErrorContains(t, obey("{", stacks, nil, io.Discard), EnvVar, "no order")
	assert.ErrorContains(t, obey("{}", stacks, nil, io.Discard), "names no stack")
	assert.ErrorContains(t, obey(`{"stack":"c"}`, stacks, nil, io.Discard), `names no stack of this program: "c"`)

	in, _ := io.Pipe() // never ends
	assert.ErrorIs(t, obey(`{"stack":"b"}`, stacks, in, io.Discard), broken)
}

func TestObeyList(t *testing.T) {
	var out strings.Builder
	assert.NoError(t, obey(`{"list":true}`, []Stack{{Name: "a"}, {Name: "b"}}, nil, &out))
	assert.Equal(t, out.String(), Mark+`["a","b"]`+"\n")
}

// The protocol: a greeting when it accepts connections, a usage for each line,
// and an end with the input.
func TestObeyServes(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	stack := Stack{Name: "a", Serve: func(*Env) error { <-forever; return nil }}
	var out strings.Builder
	assert.NoError(t, obey(`{"stack":"a"}`, []Stack{stack}, strings.NewReader("gc\nread\nsettled\n"), &out))
	replies := json.NewDecoder(strings.NewReader(strings.ReplaceAll(out.String(), Mark, "")))
	var hello Hello
	assert.NoError(t, replies.Decode(&hello))
	assert.Contains(t, hello.Addr, "127.0.0.1:")
	var last Usage
	for range 3 {
		var u Usage
		assert.NoError(t, replies.Decode(&u))
		assert.True(t, u.CPU >= last.CPU && u.Allocs > last.Allocs && u.Bytes > last.Bytes && u.InUse > 0)
		last = u
	}
	assert.ErrorIs(t, replies.Decode(&last), io.EOF)
}

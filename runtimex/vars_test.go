package runtimex_test

import (
	"encoding/json"
	"expvar"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

type runtimeVars struct {
	runtimex.Report

	Limits     *runtimex.Limits `json:"limits"`
	GCFraction *float64         `json:"gc_fraction"`
}

func readVars(t *testing.T) (v runtimeVars) {
	t.Helper()
	assert.NoError(t, json.Unmarshal([]byte(expvar.Get("grpcx.runtime").String()), &v))
	return v
}

// TestVars does not run in parallel: there is one controller in the process.
func TestVars(t *testing.T) {
	c, err := runtimex.Apply(
		runtimex.Without(runtimex.GOMAXPROCS, runtimex.GOMEMLIMIT, runtimex.GOGC),
		runtimex.WithLogger(slog.New(slog.DiscardHandler)))
	assert.NoError(t, err)
	defer c.Undo()

	v := readVars(t)
	assert.Equal(t, v.GOMAXPROCS.Value, int64(runtime.GOMAXPROCS(0)))
	assert.Equal(t, v.GoVersion, runtime.Version())
	assert.True(t, v.Limits != nil && v.GCFraction != nil, "the controller does not show")
	assert.Equal(t, expvar.Get("go_gomaxprocs").String(), strconv.Itoa(runtime.GOMAXPROCS(0)))

	c.Undo()
	v = readVars(t)
	assert.Equal(t, v.GOMAXPROCS.Value, int64(runtime.GOMAXPROCS(0)))
	assert.True(t, v.Limits == nil && v.GCFraction == nil, "the controller shows after Undo")

	// A second time nothing is published, which would panic.
	again, err := runtimex.Apply(runtimex.Without(runtimex.GOMAXPROCS, runtimex.GOMEMLIMIT, runtimex.GOGC))
	assert.NoError(t, err)
	again.Undo()
}

func TestVarsTaken(t *testing.T) {
	// Of this run alone: nothing can be unpublished.
	name := fmt.Sprint("runtimex.test.", time.Now().UnixNano())
	mine := expvar.NewInt(name)
	mine.Set(42)
	runtimex.Publish(name, func() any { return "ours" })
	assert.Equal(t, expvar.Get(name).String(), "42")

	runtimex.Publish(name+".not", func() any { return "ours" })
	assert.Equal(t, expvar.Get(name+".not").String(), `"ours"`)
}

package cli_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestVersion(t *testing.T) {
	code, line, errout := run(t, "version")
	assert.Equal(t, code, cli.OK, errout)
	assert.True(t, strings.HasPrefix(line, "grpcx "+cli.Version()+" "+runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH), line)
	assert.Equal(t, strings.Count(line, "\n"), 1)
	_, flag, _ := run(t, "--version")
	assert.Equal(t, flag, line)

	code, out, errout := run(t, "version", "-o", "json")
	assert.Equal(t, code, cli.OK, errout)
	var info cli.Info
	assert.NoError(t, json.Unmarshal([]byte(out), &info))
	assert.Equal(t, info.Version, cli.Version())
	assert.Equal(t, info.String()+"\n", line)

	code, _, errout = run(t, "version", "please")
	assert.Equal(t, code, cli.Usage)
	assert.Contains(t, errout, `"please"`, "grpcx version --help")
}

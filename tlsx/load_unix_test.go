//go:build unix

package tlsx_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// A FIFO without a writer must not block.
func TestLoadFIFO(t *testing.T) {
	s := newSet(t, certtest.Template{})
	s.files.Key = filepath.Join(s.dir, "fifo")
	assert.NoError(t, syscall.Mkfifo(s.files.Key, 0o600))
	_, err := tlsx.Load(s.files)
	assert.ErrorContains(t, err, "is a FIFO", "name a regular file")
}

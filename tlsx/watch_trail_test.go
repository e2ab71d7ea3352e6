package tlsx_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestFollow(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	assert.NoError(t, err)
	in := func(elem ...string) string { return filepath.Join(append([]string{base}, elem...)...) }
	mkdir(t, base, "etc", "app")
	mkdir(t, base, "srv", "deep", "v1")
	assert.NoError(t, os.WriteFile(in("srv", "deep", "v1", "f"), nil, 0o600))
	assert.NoError(t, os.WriteFile(in("srv", "f"), nil, 0o600))
	symlink(t, "../../srv/deep/current/f", in("etc", "app", "f"))
	symlink(t, in("srv", "deep", "v1"), in("srv", "deep", "current"))
	symlink(t, "../srv/deep", in("etc", "deep"))
	symlink(t, "loop", in("etc", "loop"))
	symlink(t, "gone/f", in("etc", "dangling"))

	for _, tc := range []struct {
		path   string
		end    string
		needed []string
	}{
		{in("srv", "f"), in("srv", "f"), []string{in("srv")}},
		{in("etc", "app", "f"), in("srv", "deep", "v1", "f"), []string{in("etc", "app"), in("srv", "deep"), in("srv", "deep", "v1")}},
		// ".." after a link is the parent of its target.
		{in("etc") + "/deep/../f", in("srv", "f"), []string{in("etc"), in("srv")}},
		{in("etc", "dangling"), in("etc", "gone"), []string{in("etc")}},
		{in("etc", "nothing", "below"), in("etc", "nothing"), []string{in("etc")}},
		{in("srv", "f") + "/", in("srv", "f"), []string{in("srv")}},
	} {
		passed, needed, end, isDir := tlsx.Follow(tc.path)
		assert.Equal(t, end, tc.end)
		assert.True(t, !isDir)
		slices.Sort(needed)
		assert.Equal(t, needed, tc.needed)
		for _, dir := range []string{"/", filepath.Dir(base), base} {
			assert.True(t, slices.Contains(passed, dir), "passes "+dir)
		}
	}
	_, needed, _, isDir := tlsx.Follow(in("etc", "loop"))
	assert.True(t, !isDir)
	assert.Equal(t, needed, []string{in("etc")})
	_, _, end, isDir := tlsx.Follow(in("etc", "deep", "current"))
	assert.True(t, isDir)
	assert.Equal(t, end, in("srv", "deep", "v1"))
}

// Random links lead where the standard library says they do.
func TestFollowRandom(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	assert.NoError(t, err)
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func() string { return string(rune('a' + rnd.IntN(6))) }
	path := func(dir string, steps int) string {
		for range steps {
			switch rnd.IntN(6) {
			case 0:
				dir += "/.."
			case 1:
				dir += "/."
			default:
				dir += "/" + pick()
			}
		}
		return dir
	}
	for i := range 15 {
		dir, err := os.MkdirTemp(base, "t")
		assert.NoError(t, err)
		for range 40 {
			at := path(dir, rnd.IntN(3)) + "/" + pick()
			switch rnd.IntN(4) {
			case 0:
				_ = os.WriteFile(at, nil, 0o600)
			case 1:
				_ = os.Mkdir(at, 0o755)
			case 2:
				_ = os.Symlink(path(dir, 1+rnd.IntN(3)), at)
			default:
				_ = os.Symlink(path(".", 1+rnd.IntN(3)), at)
			}
		}
		for range 200 {
			p := path(dir, 1+rnd.IntN(5))
			want, err := filepath.EvalSymlinks(p)
			_, needed, end, isDir := tlsx.Follow(p)
			if err != nil {
				// Wherever it ends, somebody waits for it to go on.
				assert.True(t, !isDir && len(needed) > 0, fmt.Sprintf("round %d: %s -> %s, the library says %v", i, p, end, err))
				continue
			}
			if end != want {
				t.Fatalf("round %d: %s -> %s, the library says %s", i, p, end, want)
			}
		}
	}
}

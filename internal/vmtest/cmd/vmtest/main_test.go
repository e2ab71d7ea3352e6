package main

import (
	"slices"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no kernel":      {[]string{"-out", "o", "./p"}, "no -kernel"},
		"no packages":    {[]string{"-kernel", "4096=k", "-out", "o"}, "no packages"},
		"no page size":   {[]string{"-kernel", "k"}, "4096=vmlinuz"},
		"bad page size":  {[]string{"-kernel", "4k=k"}, "4096=vmlinuz"},
		"no kernel file": {[]string{"-kernel", "4096="}, "4096=vmlinuz"},
		"bad variable":   {[]string{"-env", "=1"}, "NAME=value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tt.args)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

// TestSuites: the race detector runs where it can, and nothing is lost where
// it cannot.
func TestSuites(t *testing.T) {
	s, err := parse([]string{"-kernel", "4096=a", "-kernel", "16384=b", "-out", "o", "-race", "./p,./q", "-cc", "cc",
		"-run", "X", "-v", "-env", "A=b", "-parallel", "3", "./p"})
	assert.NoError(t, err)
	assert.Equal(t, s.kernels, []kernel{{4096, "a"}, {16384, "b"}})
	small, large := s.suites(s.kernels[0]), s.suites(s.kernels[1])
	assert.Equal(t, len(small), 2)
	assert.Equal(t, len(large), 1)
	assert.Equal(t, small[0], large[0])
	assert.Equal(t, small[1].Patterns, []string{"./p", "./q"})
	assert.Equal(t, small[1].CC, "cc")
	for i, suite := range small {
		assert.Equal(t, suite.Race, i == 1)
		assert.Equal(t, suite.Env, []string{"A=b"})
		assert.Equal(t, slices.Contains(suite.Flags, "-test.short"), suite.Race)
		for _, flag := range []string{"-test.run=X", "-test.v", "-test.parallel=3", "-test.timeout=15m0s"} {
			assert.True(t, slices.Contains(suite.Flags, flag), flag)
		}
	}
}

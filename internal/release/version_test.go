package release_test

import (
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	const lib = "github.com/example/lib"
	tags := []string{"v0.1.0", "v0.1.1", "v0.1.2-rc.1", "v0.2.0", "cmd/tool/v0.9.0", "v0.2", "nightly", "v0.3.0-rc.1"}
	for name, tt := range map[string]struct {
		version string
		path    string
		tags    []string
		base    string
		step    release.Step
		err     string
	}{
		"first":                 {version: "v0.1.0", path: lib, step: release.First},
		"first of a large one":  {version: "v1.0.0", path: lib, step: release.First},
		"first beside others":   {version: "v0.1.0", path: lib, tags: []string{"v0.2", "extra/v0.1.0"}, step: release.First},
		"after a prerelease":    {version: "v0.1.0", path: lib, tags: []string{"v0.1.0-rc.1"}, step: release.First},
		"patch":                 {version: "v0.2.1", path: lib, tags: tags, base: "v0.2.0", step: release.Patch},
		"minor":                 {version: "v0.3.0", path: lib, tags: tags, base: "v0.2.0", step: release.Minor},
		"major":                 {version: "v1.0.0", path: lib, tags: tags, base: "v0.2.0", step: release.Major},
		"patch of an older one": {version: "v0.1.2", path: lib, tags: tags, base: "v0.1.1", step: release.Patch},
		"prerelease":            {version: "v0.3.0-rc.2", path: lib, tags: tags, base: "v0.2.0", step: release.Minor},
		"second major":          {version: "v2.0.0", path: lib + "/v2", tags: append(tags, "v1.9.3"), base: "v1.9.3", step: release.Major},

		"no v":           {version: "0.3.0", path: lib, err: `version "0.3.0": want vMAJOR.MINOR.PATCH`},
		"short":          {version: "v0.3", path: lib, err: "want vMAJOR.MINOR.PATCH"},
		"build metadata": {version: "v0.3.0+dirty", path: lib, err: "want vMAJOR.MINOR.PATCH"},
		"leading zero":   {version: "v0.03.0", path: lib, err: "want vMAJOR.MINOR.PATCH"},
		"empty":          {path: lib, err: "want vMAJOR.MINOR.PATCH"},
		"exists":         {version: "v0.1.1", path: lib, tags: tags, err: "v0.1.1 exists: a tag is never moved"},
		"minor left out": {version: "v0.4.0", path: lib, tags: tags, err: "leaves one out after v0.2.0: want v0.2.1, v0.3.0 or v1.0.0"},
		"patch left out": {version: "v0.2.2", path: lib, tags: tags, err: "leaves one out"},
		"minor of zero":  {version: "v0.3.1", path: lib, tags: tags, err: "leaves one out"},
		"major and path": {version: "v2.0.0", path: lib, tags: tags, err: "does not fit the module path"},
		"path and major": {version: "v1.0.0", path: lib + "/v2", tags: tags, err: "does not fit the module path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, step, err := release.CheckVersion(tt.version, tt.path, tt.tags)
			if tt.err != "" {
				assert.ErrorContains(t, err, tt.err)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, base, tt.base)
			assert.Equal(t, step.String(), tt.step.String())
		})
	}
}

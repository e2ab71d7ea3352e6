package release_test

import (
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

const (
	// Hello was renamed.
	renamed = "// Package lib greets.\npackage lib\n\n// Hi greets.\nfunc Hi(name string) string { return \"hello \" + name }\n"
	larger  = "// Package lib greets.\npackage lib\n\n// Hello greets.\nfunc Hello(name string) string { return \"hello \" + name }\n\n// Bye leaves.\nfunc Bye() {}\n"
	inside  = "// Package lib greets.\npackage lib\n\n// Hello greets.\nfunc Hello(name string) string { return \"Hello \" + name }\n"
	empty   = "// Package extra is empty.\npackage extra\n"

	allButTool  = ". release\nextra release\ncmd/tool keep it\ntests keep tests\n"
	onlyTheRoot = ". release\nextra keep it\ncmd/tool keep it\ntests keep tests\n"
	withTests   = ". release\nextra release\ncmd/tool keep it\ntests release\n"
)

// TestCompatibility: a version promises what may have changed.
func TestCompatibility(t *testing.T) {
	t.Parallel()
	const (
		refused = "which may not make these changes to the API"
		removed = "  github.com/example/lib: Hello: removed (incompatible)"
		added   = "  github.com/example/lib: Bye: added (compatible)"
	)
	for name, tt := range map[string]struct {
		base, version string
		files         map[string]string
		changes, err  []string
	}{
		"patch that breaks": {
			"v0.1.0", "v0.1.1", map[string]string{"lib.go": renamed, "extra/extra.go": empty},
			nil, []string{"v0.1.1 is a patch release", refused, "release the next minor version", removed, "github.com/example/lib/extra: Loud: removed"},
		},
		"minor before v1": {
			"v0.1.0", "v0.2.0", map[string]string{"lib.go": renamed, "extra/extra.go": empty},
			[]string{removed, "  github.com/example/lib: Hi: added (compatible)"}, nil,
		},
		"prerelease of a minor that breaks": {
			"v1.0.0", "v1.1.0-rc.1", map[string]string{"pub/p.go": "", release.ModulesFile: onlyTheRoot},
			nil, []string{"v1.1.0-rc.1 is a minor release", refused, "new module path", "pub: removed", "github.com/example/lib/extra: module removed"},
		},
		"patch that adds": {
			"v1.0.0", "v1.0.1", map[string]string{"lib.go": larger, release.ModulesFile: withTests},
			nil, []string{refused, added, "module added"},
		},
		"minor that adds": {
			"v1.0.0", "v1.1.0", map[string]string{"lib.go": larger, release.ModulesFile: withTests},
			[]string{added, "  github.com/example/lib/tests: module added (compatible)"}, nil,
		},
		"patch of the inside": {
			"v1.0.0", "v1.0.1", map[string]string{"lib.go": inside, "internal/secret/s.go": ""}, nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newRepo(t, small)
			commit(t, repo, map[string]string{"pub/p.go": "// Package pub is public.\npackage pub\n", release.ModulesFile: allButTool})
			publish(t, repo, "", tt.base)
			addEntry(t, repo)
			commit(t, repo, tt.files)
			cut(t, repo, tt.base, tt.version)
			plan, err := repo.Prepare(t.Context(), tt.version, today)
			assert.NoError(t, err)
			assert.Equal(t, plan.Base, tt.base)
			changes, err := plan.Verify(t.Context())
			if tt.err != nil {
				assert.ErrorContains(t, err, tt.err...)
				return
			}
			assert.NoError(t, err)
			text := ""
			for _, c := range changes {
				text += c.String() + "\n"
			}
			assert.Contains(t, text, tt.changes...)
			if tt.changes == nil {
				assert.Equal(t, text, "")
			}
		})
	}
}

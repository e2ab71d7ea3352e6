package release_test

import (
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

const repository = "https://github.com/example/lib"

const released = `# Changelog

All changes.

## [Unreleased]

## [0.2.0] - 2026-03-14

### Fixed

- A mistake.

## [0.1.0] - 2026-01-31

### Added

- Everything.

[Unreleased]: https://github.com/example/lib/compare/v0.2.0...HEAD
[0.2.0]: https://github.com/example/lib/compare/v0.1.0...v0.2.0
[0.1.0]: https://github.com/example/lib/releases/tag/v0.1.0
`

func TestChangelog(t *testing.T) {
	t.Parallel()
	notes, err := release.ParseChangelog([]byte(released)).Check(repository, "v0.1.0", "v0.2.0", today)
	assert.NoError(t, err)
	assert.Equal(t, notes, "### Fixed\n\n- A mistake.")

	notes, err = release.ParseChangelog([]byte(strings.ReplaceAll(released, "\n", "\r\n"))).Check(repository, "v0.1.0", "v0.2.0", today)
	assert.NoError(t, err)
	assert.Equal(t, notes, "### Fixed\n\n- A mistake.")
}

func TestChangelogProblems(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, new, err string }{
		"no section":       {"## [0.2.0] - 2026-03-14\n", "", "no section ## [0.2.0] - YYYY-MM-DD; run `release changelog v0.2.0`"},
		"no date":          {"[0.2.0] - 2026-03-14", "[0.2.0]", "[0.2.0] has no date"},
		"no day":           {"2026-03-14", "2026-02-30", "[0.2.0] has no date"},
		"future":           {"2026-03-14", "2026-03-16", "2026-03-16, which is in the future"},
		"no entries":       {"- A mistake.", "A mistake.", "[0.2.0] has no entries"},
		"forgotten":        {"## [Unreleased]\n", "## [Unreleased]\n\n- Left here.\n", "[Unreleased] has entries"},
		"no unreleased":    {"## [Unreleased]\n", "", "the first section is not ## [Unreleased]"},
		"order":            {"## [0.2.0] - 2026-03-14", "## [0.1.0] - 2026-03-13\n\n## [0.2.0] - 2026-03-14", "does not follow [Unreleased]"},
		"no link":          {"[0.2.0]: https://github.com/example/lib/compare/v0.1.0...v0.2.0\n", "", `no line "[0.2.0]: https://github.com/example/lib/compare/v0.1.0...v0.2.0"`},
		"old link":         {"compare/v0.2.0...HEAD", "compare/v0.1.0...HEAD", `no line "[Unreleased]: https://github.com/example/lib/compare/v0.2.0...HEAD"`},
		"other release":    {"## [0.1.0]", "## [0.1.1]", `the release before [0.2.0] is "v0.1.1" there and "v0.1.0" by the tags of this clone; git fetch --tags`},
		"only prereleases": {"## [0.1.0]", "## [0.1.0-rc.1]", `is "" there and "v0.1.0" by the tags`},
		"nothing is empty": {released, "", "the first section is not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(released, tt.old, tt.new, 1)
			assert.True(t, text != released, "the case changes nothing")
			_, err := release.ParseChangelog([]byte(text)).Check(repository, "v0.1.0", "v0.2.0", today)
			assert.ErrorContains(t, err, "CHANGELOG.md: ", tt.err)
		})
	}
}

func TestChangelogWithoutTags(t *testing.T) {
	t.Parallel()
	_, err := release.ParseChangelog([]byte(released)).Check(repository, "", "v0.2.0", today)
	assert.ErrorContains(t, err, `the release before [0.2.0] is "v0.1.0" there and "" by the tags of this clone; git fetch --tags`)
}

func TestCut(t *testing.T) {
	t.Parallel()
	log := release.ParseChangelog([]byte(released))
	assert.ErrorContains(t, log.Cut(repository, "v0.2.0", "v0.3.0", today), "nothing to release")
	assert.ErrorContains(t, log.Cut(repository, "v0.1.0", "v0.2.0", today), "[0.2.0] exists")
	assert.ErrorContains(t, release.ParseChangelog(nil).Cut(repository, "", "v0.1.0", today), "the first section is not")

	log = release.ParseChangelog([]byte(strings.Replace(released, "## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- More.\n", 1)))
	assert.NoError(t, log.Cut(repository, "v0.2.0", "v0.3.0-rc.1", today))
	assert.Equal(t, string(log.Bytes()), `# Changelog

All changes.

## [Unreleased]

## [0.3.0-rc.1] - 2026-03-14

### Added

- More.

## [0.2.0] - 2026-03-14

### Fixed

- A mistake.

## [0.1.0] - 2026-01-31

### Added

- Everything.

[Unreleased]: https://github.com/example/lib/compare/v0.3.0-rc.1...HEAD
[0.3.0-rc.1]: https://github.com/example/lib/compare/v0.2.0...v0.3.0-rc.1
[0.2.0]: https://github.com/example/lib/compare/v0.1.0...v0.2.0
[0.1.0]: https://github.com/example/lib/releases/tag/v0.1.0
`)
	_, err := log.Check(repository, "v0.2.0", "v0.3.0-rc.1", today)
	assert.NoError(t, err)
}

func FuzzChangelog(f *testing.F) {
	f.Add([]byte(released))
	f.Add([]byte("## [Unreleased]\n- x\n[a]: b\n"))
	f.Add([]byte("\r\n## [1.0.0] - \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		once := release.ParseChangelog(data).Bytes()
		twice := release.ParseChangelog(once).Bytes()
		assert.Equal(t, string(twice), string(once), "writing what was read must not change it again")
	})
}

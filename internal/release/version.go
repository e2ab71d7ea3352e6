package release

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Step is how far a version is from the release before it.
type Step int

// The steps, as https://semver.org counts them.
const (
	First Step = iota // there is no release before it
	Patch
	Minor
	Major
)

func (s Step) String() string { return [...]string{"first", "patch", "minor", "major"}[s] }

// CheckVersion returns the release that version follows among the tags of the
// root module, and how far it is from that. A version is wrong that is not
// canonical, exists, leaves one out (v0.3.0 after v0.1.4), or asks for another
// module path.
func CheckVersion(version, modulePath string, tags []string) (base string, step Step, err error) {
	if version == "" || version != semver.Canonical(version) {
		return "", 0, fmt.Errorf("version %q: want vMAJOR.MINOR.PATCH, with -PRERELEASE or without, such as v1.4.0 or v1.5.0-rc.1", version)
	}
	if _, pathMajor, ok := module.SplitPathVersion(modulePath); !ok || module.CheckPathMajor(version, pathMajor) != nil {
		return "", 0, fmt.Errorf("version %s does not fit the module path %s: from v2 on the path ends in the major version (https://go.dev/ref/mod#major-version-suffixes)", version, modulePath)
	}
	if slices.Contains(tags, version) {
		return "", 0, fmt.Errorf("version %s exists: a tag is never moved, because proxies keep what it named first; release the next version", version)
	}
	if base = latest(slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return semver.Compare(tag, version) >= 0 })); base == "" {
		return "", First, nil
	}
	for step, next := range map[Step]string{Patch: bump(base, Patch), Minor: bump(base, Minor), Major: bump(base, Major)} {
		if core(version) == next {
			return base, step, nil
		}
	}
	return "", 0, fmt.Errorf("version %s leaves one out after %s: want %s, %s or %s", version, base, bump(base, Patch), bump(base, Minor), bump(base, Major))
}

// core is version without its prerelease.
func core(version string) string { return strings.TrimSuffix(version, semver.Prerelease(version)) }

func bump(version string, step Step) string {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	numbers := make([]int, 3)
	for i, part := range parts {
		numbers[i], _ = strconv.Atoi(part) // canonical, so digits
	}
	at := map[Step]int{Major: 0, Minor: 1, Patch: 2}[step]
	numbers[at]++
	clear(numbers[at+1:])
	return fmt.Sprintf("v%d.%d.%d", numbers[0], numbers[1], numbers[2])
}

// checkAPI tells whether the API may change in that way at that step: a patch
// release changes none of it, a minor one adds, and removes only before v1.
func checkAPI(version string, step Step, changes []Change) error {
	var wrong []string
	for _, c := range changes {
		if step == Patch || step == Minor && !c.Compatible && semver.Major(version) != "v0" {
			wrong = append(wrong, c.String())
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	remedy := "restore them, or release a new major version under a new module path"
	if step == Patch {
		remedy = "restore them, or release the next minor version"
	}
	return fmt.Errorf("%s is a %s release, which may not make these changes to the API; %s:\n%s", version, step, remedy, strings.Join(wrong, "\n"))
}

// latest returns the newest release among tags, or an empty string.
func latest(tags []string) string {
	newest := ""
	for _, tag := range tags {
		if released(tag) && semver.Compare(tag, newest) > 0 {
			newest = tag
		}
	}
	return newest
}

// released tells tags of releases from those of prereleases and of others.
func released(tag string) bool {
	return tag != "" && tag == semver.Canonical(tag) && semver.Prerelease(tag) == ""
}

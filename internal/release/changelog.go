package release

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ChangelogFile is the changelog, in the form of
// https://keepachangelog.com/en/1.1.0/.
const ChangelogFile = "CHANGELOG.md"

const unreleased = "Unreleased"

var (
	heading   = regexp.MustCompile(`^## \[([^\]]+)\](?: - (.*))?$`)
	reference = regexp.MustCompile(`^\[([^\]]+)\]: (\S+)$`)
)

// Changelog is a parsed changelog.
type Changelog struct {
	// intro are the lines before the first section.
	intro      []string
	sections   sections
	references []link
}

type section struct {
	name, date string
	lines      []string
}

// text is the content, without empty lines around it.
func (s *section) text() string { return strings.TrimSpace(strings.Join(s.lines, "\n")) }

func (s *section) hasEntries() bool {
	return slices.ContainsFunc(s.lines, func(line string) bool { return strings.HasPrefix(line, "- ") })
}

// sections are in the order of the file, the newest first.
type sections []section

// follows compares the release before the first section with the one that the
// tags name, which a clone without tags does not.
func (s sections) follows(base string) error {
	before := ""
	for _, other := range s[1:] {
		if !strings.Contains(other.name, "-") {
			before = "v" + other.name
			break
		}
	}
	if before == base {
		return nil
	}
	return fmt.Errorf("%s: the release before [%s] is %q there and %q by the tags of this clone; git fetch --tags, or correct the changelog",
		ChangelogFile, s[0].name, before, base)
}

type link struct{ name, url string }

// ParseChangelog reads a changelog.
func ParseChangelog(data []byte) *Changelog {
	c := &Changelog{}
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\r\n", "\n")) {
		line = strings.TrimSuffix(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			c.sections = append(c.sections, section{name: m[1], date: m[2]})
			continue
		}
		if m := reference.FindStringSubmatch(line); m != nil {
			c.references = append(c.references, link{m[1], m[2]})
			continue
		}
		if n := len(c.sections); n > 0 {
			c.sections[n-1].lines = append(c.sections[n-1].lines, line)
		} else {
			c.intro = append(c.intro, line)
		}
	}
	return c
}

// links are the references that a release adds: to what changed since the
// release before it, and from it on.
func links(repository, base, version string) []link {
	since := repository + "/releases/tag/" + version
	if base != "" {
		since = fmt.Sprintf("%s/compare/%s...%s", repository, base, version)
	}
	return []link{
		{unreleased, fmt.Sprintf("%s/compare/%s...HEAD", repository, version)},
		{strings.TrimPrefix(version, "v"), since},
	}
}

// Check returns the entries of a version, which is about to be released after
// base, or what is missing from the changelog.
func (c *Changelog) Check(repository, base, version string, now time.Time) (string, error) {
	name := strings.TrimPrefix(version, "v")
	prepare := fmt.Sprintf("; run `release changelog %s` and commit the result", version)
	if len(c.sections) == 0 || c.sections[0].name != unreleased {
		return "", fmt.Errorf("%s: the first section is not ## [%s]", ChangelogFile, unreleased)
	}
	i := slices.IndexFunc(c.sections, func(s section) bool { return s.name == name })
	if i < 0 {
		return "", fmt.Errorf("%s: no section ## [%s] - YYYY-MM-DD%s", ChangelogFile, name, prepare)
	}
	s := &c.sections[i]
	date, err := time.Parse(time.DateOnly, s.date)
	switch {
	case i != 1:
		return "", fmt.Errorf("%s: section [%s] does not follow [%s]; the newest release is first", ChangelogFile, name, unreleased)
	case c.sections[0].hasEntries():
		return "", fmt.Errorf("%s: [%s] has entries, which would be released under no version; move them to [%s]", ChangelogFile, unreleased, name)
	case err != nil:
		return "", fmt.Errorf("%s: section [%s] has no date; want ## [%s] - YYYY-MM-DD", ChangelogFile, name, name)
	case date.After(now.AddDate(0, 0, 1)): // a day, because the author may live east of here
		return "", fmt.Errorf("%s: section [%s] has the date %s, which is in the future", ChangelogFile, name, s.date)
	case !s.hasEntries():
		return "", fmt.Errorf("%s: section [%s] has no entries", ChangelogFile, name)
	}
	if err := c.sections[i:].follows(base); err != nil {
		return "", err
	}
	for _, want := range links(repository, base, version) {
		if !slices.Contains(c.references, want) {
			return "", fmt.Errorf("%s: no line %q%s", ChangelogFile, "["+want.name+"]: "+want.url, prepare)
		}
	}
	return s.text(), nil
}

// Cut moves what is unreleased into a section of its own for version.
func (c *Changelog) Cut(repository, base, version string, now time.Time) error {
	name := strings.TrimPrefix(version, "v")
	switch {
	case slices.ContainsFunc(c.sections, func(s section) bool { return s.name == name }):
		return fmt.Errorf("%s: section [%s] exists", ChangelogFile, name)
	case len(c.sections) == 0 || c.sections[0].name != unreleased:
		return fmt.Errorf("%s: the first section is not ## [%s]", ChangelogFile, unreleased)
	case !c.sections[0].hasEntries():
		return fmt.Errorf("%s: [%s] has no entries, so there is nothing to release", ChangelogFile, unreleased)
	}
	cut := section{name: name, date: now.Format(time.DateOnly), lines: c.sections[0].lines}
	c.sections[0].lines = nil
	c.sections = slices.Insert(c.sections, 1, cut)
	added := links(repository, base, version)
	c.references = slices.DeleteFunc(c.references, func(l link) bool { return l.name == unreleased })
	c.references = append(added, c.references...)
	return nil
}

// Bytes returns the text of the changelog.
func (c *Changelog) Bytes() []byte {
	var out strings.Builder
	fmt.Fprintln(&out, strings.TrimSpace(strings.Join(c.intro, "\n")))
	for i := range c.sections {
		s := &c.sections[i]
		fmt.Fprintf(&out, "\n## [%s]", s.name)
		if s.date != "" {
			fmt.Fprintf(&out, " - %s", s.date)
		}
		fmt.Fprintln(&out)
		if text := s.text(); text != "" {
			fmt.Fprintf(&out, "\n%s\n", text)
		}
	}
	for i, l := range c.references {
		if i == 0 {
			fmt.Fprintln(&out)
		}
		fmt.Fprintf(&out, "[%s]: %s\n", l.name, l.url)
	}
	return []byte(out.String())
}

package licences

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// Allowed are the licences, by their SPDX identifiers (https://spdx.org/licenses),
// that ask for no more than to be shown. Another one is a decision: about what
// it asks of those who ship a program that uses the SDK.
var Allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// certain is the share of a file's words, in percent, that have to be of known
// licences. Copyright lines are the rest.
const certain = 75

// Use is a module that is compiled into released ones.
type Use struct {
	Module string
	// Licences are SPDX identifiers, sorted.
	Licences []string
	// Notice tells that the module has a file NOTICE, which whoever ships a
	// program has to ship too (section 4(d) of the Apache License 2.0).
	Notice bool
	// By are the directories of the released modules, sorted.
	By []string
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)([-_.].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^notice([-_.].*)?$`)
	source      = regexp.MustCompile(`\.(go|s|c|h)$`)
)

// Find returns the licences of the packages of a module, whose directories are
// given: of the files there and of those above, up to the module's root.
func Find(root string, packages []string) (found []string, notice bool, err error) {
	dirs := map[string]bool{}
	for _, dir := range packages {
		for ; ; dir = filepath.Dir(dir) {
			dirs[dir] = true
			if len(dir) <= len(root) {
				break
			}
		}
	}
	set := map[string]bool{}
	for dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, false, err
		}
		for _, e := range entries {
			name := e.Name()
			notice = notice || noticeFile.MatchString(name)
			if e.IsDir() || !licenceFile.MatchString(name) || source.MatchString(name) {
				continue
			}
			ids, err := identify(filepath.Join(dir, name))
			if err != nil {
				return nil, false, err
			}
			for _, id := range ids {
				set[id] = true
			}
		}
	}
	for id := range set {
		found = append(found, id)
	}
	slices.Sort(found)
	return found, notice, nil
}

// identify returns the identifiers of the licences in a file. Text that is of
// no known licence is an error, because it may take back what the rest gives.
func identify(name string) ([]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	coverage := licensecheck.Scan(text)
	var ids []string
	for _, m := range coverage.Match {
		if !m.IsURL {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 || coverage.Percent < certain {
		return nil, fmt.Errorf("%s: only %.0f %% of the text is of known licences %v", name, coverage.Percent, ids)
	}
	return ids, nil
}

// Check returns an error for every module without a licence, and for every
// licence that is not allowed.
func Check(uses []Use) error {
	var errs []error
	for _, u := range uses {
		if len(u.Licences) == 0 {
			errs = append(errs, fmt.Errorf("%s, compiled into %s, has no licence file", u.Module, strings.Join(u.By, ", ")))
		}
		for _, id := range u.Licences {
			if !slices.Contains(Allowed, id) {
				errs = append(errs, fmt.Errorf("%s, compiled into %s, has the licence %s, which is not allowed (%s): replace the module, or decide on the licence",
					u.Module, strings.Join(u.By, ", "), id, strings.Join(Allowed, ", ")))
			}
		}
	}
	return errors.Join(errs...)
}

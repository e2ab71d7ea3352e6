package bench

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Config says what to measure and how much.
type Config struct {
	Programs []Program // each with the stacks to measure; bare must be one
	Loads    []Load

	Rounds int // fleets started one after the other; each gives one ratio
	Chunks int // of each server and load in a round
	Calls  int // in a chunk of unary calls; other loads have more or fewer

	ProfileDir string            // for a CPU profile of each stack; none if empty
	Note       func(text string) // told about the progress; may be nil
}

// DefaultConfig measures the stacks of this module under every load.
func DefaultConfig() (Config, error) {
	self, err := Self()
	return Config{Programs: []Program{self}, Loads: Loads(), Rounds: 5, Chunks: 3, Calls: 2000}, err
}

func (c Config) check() error {
	if c.Rounds <= 0 || c.Chunks <= 0 || c.Calls <= 0 {
		return errors.New("rounds, chunks and calls must be positive")
	}
	if len(c.Loads) == 0 {
		return errors.New("there is no load to measure with")
	}
	if !slices.Contains(c.stacks(), Bare) {
		return fmt.Errorf("the stacks must contain %q, which the others are compared with", Bare)
	}
	return nil
}

func (c Config) stacks() []string {
	var names []string
	for _, p := range c.Programs {
		names = append(names, p.Stacks...)
	}
	return names
}

// SelectStacks leaves the stacks that match one of the patterns, which are
// separated by commas and have the syntax of path.Match, and the bare one. No
// pattern leaves all.
func (c *Config) SelectStacks(patterns string) error {
	keep, err := selection("stack", c.stacks(), patterns)
	if err != nil {
		return err
	}
	for i := range c.Programs {
		c.Programs[i].Stacks = slices.DeleteFunc(slices.Clone(c.Programs[i].Stacks), func(name string) bool {
			return name != Bare && !keep[name]
		})
	}
	return nil
}

// SelectLoads leaves the loads that match one of the patterns.
func (c *Config) SelectLoads(patterns string) error {
	names := make([]string, len(c.Loads))
	for i, l := range c.Loads {
		names[i] = l.Name
	}
	keep, err := selection("load", names, patterns)
	if err != nil {
		return err
	}
	c.Loads = slices.DeleteFunc(slices.Clone(c.Loads), func(l Load) bool { return !keep[l.Name] })
	return nil
}

func selection(kind string, names []string, patterns string) (map[string]bool, error) {
	keep := map[string]bool{}
	if patterns == "" {
		patterns = "*"
	}
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern = strings.TrimSpace(pattern)
		matched := false
		for _, name := range names {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w", kind, pattern, err)
			}
			if ok {
				keep[name], matched = true, true
			}
		}
		if !matched {
			return nil, fmt.Errorf("no %s matches %q; there are: %s", kind, pattern, strings.Join(names, ", "))
		}
	}
	return keep, nil
}

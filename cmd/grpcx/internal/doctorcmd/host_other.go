//go:build !linux

package doctorcmd

import "errors"

func readNTP() (ntpState, error) { return ntpState{}, errors.ErrUnsupported }

// tryInotify is for Linux; other systems report changes of files by other means.
func tryInotify() error { return errors.ErrUnsupported }

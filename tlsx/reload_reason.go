package tlsx

import (
	"errors"
	"io/fs"
	"slices"
)

// A ReloadReason says in one word why files were not adopted. The words are few
// and fixed, so that they fit a metric label.
type ReloadReason string

// The reasons. Where a set of files has several problems, the first of this
// list is reported.
const (
	ReasonMissing     ReloadReason = "missing"       // a file does not exist
	ReasonUnreadable  ReloadReason = "unreadable"    // permissions, an I/O error, no regular file, too large, empty
	ReasonMalformed   ReloadReason = "malformed"     // damaged or unsuitable content
	ReasonMismatch    ReloadReason = "mismatch"      // the key is not the certificate's
	ReasonWrongUsage  ReloadReason = "wrong-usage"   // the extended key usages do not permit the use
	ReasonExpired     ReloadReason = "expired"       // the certificate, or all CAs, are out of date
	ReasonNotYetValid ReloadReason = "not-yet-valid" // the certificate is not valid yet
	ReasonLostSANs    ReloadReason = "lost-sans"     // the certificate lacks names of the current one
	ReasonUnsettled   ReloadReason = "unsettled"     // the files keep changing
)

var reasonOrder = []ReloadReason{
	ReasonMissing, ReasonUnreadable, ReasonMalformed, ReasonMismatch, ReasonWrongUsage,
	ReasonExpired, ReasonNotYetValid, ReasonLostSANs, ReasonUnsettled,
}

// reasonError labels an error without changing its text.
type reasonError struct {
	reason ReloadReason
	err    error
}

func because(reason ReloadReason, err error) error { return &reasonError{reason, err} }

func (e *reasonError) Error() string { return e.err.Error() }
func (e *reasonError) Unwrap() error { return e.err }

func readReason(err error) ReloadReason {
	if errors.Is(err, fs.ErrNotExist) {
		return ReasonMissing
	}
	return ReasonUnreadable
}

// reasonOf returns the first reason, in the order above, of the errors joined
// in err.
func reasonOf(err error) ReloadReason {
	found := reasonsOf(err)
	for _, reason := range reasonOrder {
		if slices.Contains(found, reason) {
			return reason
		}
	}
	return ReasonMalformed
}

// reasonsOf returns the reason of each error joined in err. An error without a
// label is a malformed file.
func reasonsOf(err error) []ReloadReason {
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	reasons := make([]ReloadReason, len(errs))
	for i, e := range errs {
		reasons[i] = ReasonMalformed
		if labelled, ok := errors.AsType[*reasonError](e); ok {
			reasons[i] = labelled.reason
		}
	}
	return reasons
}

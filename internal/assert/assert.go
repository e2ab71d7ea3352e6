// Package assert holds the few comparisons that the SDK's own tests share.
// Every function reports through [testing.TB.Helper], so a failure points at
// the caller, and none of them stops the test unless its name begins with Must.
package assert

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Equal reports an error when got and want are not deeply equal.
func Equal[T any](t testing.TB, got, want T, msg ...string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%sgot:  %#v\nwant: %#v", prefix(msg), got, want)
	}
}

// True reports an error when cond is false.
func True(t testing.TB, cond bool, msg ...string) {
	t.Helper()
	if !cond {
		t.Errorf("%sgot false, want true", prefix(msg))
	}
}

// NoError ends the test when err is not nil: what follows needs the value that
// came with it.
func NoError(t testing.TB, err error, msg ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%sunexpected error: %v", prefix(msg), err)
	}
}

// ErrorIs reports an error when err does not wrap target.
func ErrorIs(t testing.TB, err, target error, msg ...string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%sgot error %v, want one that wraps %v", prefix(msg), err, target)
	}
}

// ErrorContains reports an error when err is nil or its text lacks one of the
// given parts.
func ErrorContains(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one that contains %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
}

// Contains reports an error when s lacks one of the given parts.
func Contains(t testing.TB, s string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(s, part) {
			t.Errorf("%q does not contain %q", s, part)
		}
	}
}

// NotContains reports an error when s holds one of the given parts.
func NotContains(t testing.TB, s string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(s, part) {
			t.Errorf("%q contains %q", s, part)
		}
	}
}

func prefix(msg []string) string {
	if len(msg) == 0 {
		return ""
	}
	return strings.Join(msg, " ") + "\n"
}

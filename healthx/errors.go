package healthx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	// ErrRunCalled is returned by a second call of [Registry.Run].
	ErrRunCalled = errors.New("healthx: Run was already called; a Registry runs once, make another with NewRegistry")
	// ErrStopped is wrapped by the error of [Registry.AddCheck] after Run has
	// returned: the check would never run.
	ErrStopped = errors.New("Run has ended, so the check would never run; add checks before or while Run")
	// ErrDuplicateCheck is wrapped by the error of [Registry.AddCheck] for a
	// name that is taken.
	ErrDuplicateCheck = errors.New("a check of this name exists; give each check its own name")
	// ErrUnknownService is wrapped by the error of [Registry.SetServing] for a
	// name that has no entry.
	ErrUnknownService = errors.New("unknown service; add it with AddService first")
	// ErrGoexit is the result of a check that ended its goroutine with
	// [runtime.Goexit] instead of returning, as testing.T.FailNow does.
	ErrGoexit = errors.New("the check called runtime.Goexit instead of returning")
)

// CheckError says why [Registry.AddCheck] refused a check.
type CheckError struct {
	// Check is the name of the check.
	Check string
	// Option is the option at fault, as "Interval"; empty when the fault is
	// in the name or the function.
	Option string
	// Err says what is wrong and how to put it right.
	Err error
}

// Error names the check, the option, what is wrong and the remedy.
func (e *CheckError) Error() string {
	if e.Option == "" {
		return fmt.Sprintf("healthx: check %q: %v", e.Check, e.Err)
	}
	return fmt.Sprintf("healthx: check %q: %s: %v", e.Check, e.Option, e.Err)
}

// Unwrap returns Err.
func (e *CheckError) Unwrap() error { return e.Err }

// TimeoutError is the result of a check that gave no answer in time. It wraps
// [context.DeadlineExceeded].
type TimeoutError struct {
	// Timeout is the time that the check had.
	Timeout time.Duration
}

// Error says how long the check had.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("no answer within %v", e.Timeout)
}

// Unwrap returns [context.DeadlineExceeded].
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// PanicError is the result of a check that panicked.
type PanicError struct {
	// Value is what the check panicked with.
	Value any
	// Stack is the stack of the panic.
	Stack []byte
}

// Error returns the panic text without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// maxErrorText bounds the error text that a check leaves in reports and logs.
const maxErrorText = 1024

// errorText renders err. It goes through fmt, which survives a panicking
// Error method, such as that of a nil pointer in an error interface.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	text := fmt.Sprint(err)
	if text == "" || text == "<nil>" { // the latter is fmt's for a nil pointer
		text = fmt.Sprintf("%T without text", err)
	}
	long := len(text) > maxErrorText
	text = strings.ToValidUTF8(text[:min(len(text), 2*maxErrorText)], "\uFFFD")
	if len(text) > maxErrorText {
		cut := maxErrorText
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text, long = text[:cut], true
	}
	if long {
		text += "…"
	}
	return text
}

package tlsx

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrRunCalled is what a second call of [Reloader.Run] returns.
var ErrRunCalled = errors.New("tlsx: Reloader.Run was called before; run a reloader once, and make another with NewReloader to run again")

// A Reloader is a [Source] over [Files] that follows their changes. It is safe
// for concurrent use.
//
// [Reloader.Run] watches every directory that leads to a file, through all
// symbolic links, and compares the content at every poll besides: events get
// lost, and some file systems send none. What changed is judged once it has
// been the same for the settle time, all files at once and read through the
// same links; then it is adopted as one generation. Content that means the same
// (another order of CAs, other comments) makes no new generation.
//
// Whatever is wrong with the files, the last good generation is served on. The
// reloader is then degraded: it says why in [Reloader.Status], the log and to
// the observer, and tries again, first after the settle time and then ever less
// often, at least once in a poll interval.
//
// A new certificate that is expired, not yet valid or lacks the needed usage is
// refused, unless the current one is worse.
type Reloader struct {
	files    Files    // absolute
	plain    []string // their paths: files
	either   []string // and files or directories
	poll     time.Duration
	settle   time.Duration
	keepSANs bool
	open     func() (eventSource, error) // nil: no events
	notices  notifier
	stapler  *stapler // nil: nothing is stapled

	current atomic.Pointer[generation]
	status  atomic.Pointer[Status]
	ran     atomic.Bool
	wake    chan struct{} // capacity 1: something happened that Run waits for

	mu sync.Mutex // held for each look at the files; guards the rest
	st Status     // the next status to publish

	adopted digest  // of the files in use
	pending *digest // seen once, to be judged when seen again
	failed  digest  // of the files last refused
	backoff time.Duration

	watch     *watch        // nil: no events
	watchWait time.Duration // before the next attempt to get events

	// When to look again and why; zero: not.
	burstAt  time.Time // the first sign of the change that is settling
	settleAt time.Time
	retryAt  time.Time
	pollAt   time.Time
	watchAt  time.Time
}

var _ Source = (*Reloader)(nil)

// generation is a snapshot and the channel that ends with it.
type generation struct {
	snapshot *Snapshot
	changed  chan struct{}
}

// NewReloader loads the files once, as strictly as [Load]. It starts nothing:
// call [Reloader.Run] to follow changes, or [Reloader.Reload] to look once. A
// relative path is taken from the current directory now.
//
// The error joins all problems of the files, each a *[FileError].
func NewReloader(files Files, opts ...ReloaderOption) (*Reloader, error) {
	r := &Reloader{poll: defaultPoll, open: openFsnotify, wake: make(chan struct{}, 1)}
	if err := r.configure(opts); err != nil {
		return nil, err
	}
	var err error
	if r.files, err = files.absolute(); err != nil {
		return nil, err
	}
	r.plain, r.either = r.files.inputs()

	now := time.Now()
	s, ok := r.take()
	defer s.wipe(r.files.Key)
	if !ok {
		return nil, errUnsettled
	}
	l := loader{files: r.files, view: s.view, now: now, weigh: checkChain}
	p, err := l.load()
	if err != nil {
		return nil, err
	}
	snapshot := newSnapshot(p)
	r.current.Store(&generation{snapshot, make(chan struct{})})
	r.adopted = s.digest
	r.st.LastAttempt = now
	r.noteSuccess(now)
	r.noteSnapshot(snapshot, now)
	r.publish()
	return r, nil
}

// Current returns the newest generation. It takes no lock and does no I/O. What
// was adopted last stays current after [Reloader.Run] has returned.
func (r *Reloader) Current() *Snapshot { return r.current.Load().snapshot }

// Changed returns a channel that is closed at the next generation. Fetch it
// before Current to miss none.
func (r *Reloader) Changed() <-chan struct{} { return r.current.Load().changed }

// Status returns the state now. It never waits for the files.
func (r *Reloader) Status() Status {
	st := *r.status.Load()
	st.CRLs = slices.Clone(st.CRLs)
	return st
}

// publish makes the status visible; the caller holds r.mu.
func (r *Reloader) publish() {
	st := r.st
	r.status.Store(&st)
}

func (r *Reloader) noteSuccess(now time.Time) { r.st.LastSuccess = now }

func (r *Reloader) noteSnapshot(s *Snapshot, now time.Time) {
	r.st.Generation = s.generation
	r.st.LastChange = now
	r.st.Certificate = Validity{NotBefore: s.leaf.NotBefore, NotAfter: s.notAfter}
	r.st.ClientCA = bundleValidity(s.cas)
	r.st.CRLs = s.CRLs()
	for _, crl := range r.st.CRLs {
		if crl.Ignored != "" {
			r.notices.add(notice{level: slog.LevelWarn, msg: "tls CRL ignored", attrs: []slog.Attr{
				slog.String("path", crl.Path), slog.String("issuer", crl.Issuer), slog.String("reason", crl.Ignored)}})
		}
	}
}

// absolute returns f with absolute paths. They are not cleaned: "link/.." is
// not what it looks like.
func (f Files) absolute() (Files, error) {
	f.CRL, f.Allow = slices.Clone(f.CRL), slices.Clone(f.Allow)
	all := []*string{&f.Cert, &f.Key, &f.ClientCA}
	for i := range f.CRL {
		all = append(all, &f.CRL[i])
	}
	for _, path := range all {
		if err := makeAbsolute(path); err != nil {
			return f, err
		}
	}
	return f, nil
}

func makeAbsolute(path *string) error {
	if *path == "" || filepath.IsAbs(*path) {
		return nil
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		return &FileError{Role: "files", Path: *path, Err: err}
	}
	*path = dir + string(filepath.Separator) + *path
	return nil
}

// ReloadResult is what [Reloader.Reload] found.
type ReloadResult struct {
	// Generation is the current one.
	Generation uint64
	// Changed is set when it was adopted during the call.
	Changed bool
	// TrustChanged is set when peers are judged differently than before the call.
	TrustChanged bool
}

// Reload looks at the files now, as for a SIGHUP, whether Run runs or not. If
// they changed it waits until they have been the same for the settle time,
// normally once, and adopts them. It returns why they were not adopted; the
// last good generation then stays in use.
func (r *Reloader) Reload() (ReloadResult, error) {
	before := r.Current()
	err := r.reload()
	select {
	case r.wake <- struct{}{}: // Run plans anew
	default:
	}
	r.notices.deliver()
	after := r.Current()
	return ReloadResult{
		Generation:   after.generation,
		Changed:      after.generation != before.generation,
		TrustChanged: after.trustGeneration != before.trustGeneration,
	}, err
}

// maxReloadLooks bounds how long Reload waits for files that keep changing.
const maxReloadLooks = 20

func (r *Reloader) reload() error {
	var seen *digest
	for range maxReloadLooks {
		done, err := r.reloadOnce(&seen)
		if done {
			return err
		}
		time.Sleep(r.settle)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.publish()
	return r.refuse(errUnsettled, digest{}, time.Now())
}

func (r *Reloader) reloadOnce(seen **digest) (done bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.publish()
	s, ok := r.take()
	defer s.wipe(r.files.Key)
	now := time.Now()
	r.st.LastAttempt = now
	switch {
	case !ok:
		*seen = nil
		return false, nil
	case s.digest == r.adopted:
		r.clean(now)
		return true, nil
	case *seen == nil || **seen != s.digest:
		*seen = &s.digest
		return false, nil
	}
	return true, r.judge(s, now)
}

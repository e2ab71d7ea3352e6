package grpcx

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"time"
)

// The profiles are served as net/http/pprof serves them. That package is not
// used: to import it adds them to http.DefaultServeMux.

const (
	cpuProfileTime = 30 * time.Second // unless the request says
	traceTime      = time.Second      // likewise
	maxRecordTime  = time.Minute
)

func listProfiles(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Profiles, for go tool pprof; debug=1 is text, debug=2 of goroutine full stacks, gc=1 of heap collects first:\n\n")
	for _, p := range pprof.Profiles() {
		_, _ = fmt.Fprintf(w, "%8d  %s\n", p.Count(), p.Name())
	}
	_, _ = fmt.Fprintf(w, "\nRecorded on request, seconds=1 to %.0f, one at a time:\n\n", maxRecordTime.Seconds())
	_, _ = fmt.Fprintf(w, "%7.0fs  profile  of the CPU, for go tool pprof\n", cpuProfileTime.Seconds())
	_, _ = fmt.Fprintf(w, "%7.0fs  trace    of the execution, for go tool trace\n", traceTime.Seconds())
}

func namedProfile(w http.ResponseWriter, r *http.Request) {
	name, query := r.PathValue("name"), r.URL.Query()
	p := pprof.Lookup(name)
	debug := query.Get("debug")
	switch {
	case p == nil:
		http.Error(w, "there is no such profile; /debug/pprof/ lists those there are", http.StatusNotFound)
		return
	case query.Has("seconds"):
		http.Error(w, "differences over time are not served here; take two profiles and compare them with go tool pprof -diff_base", http.StatusBadRequest)
		return
	case !slices.Contains([]string{"", "0", "1", "2"}, debug):
		http.Error(w, fmt.Sprintf("debug=%q is not 0, 1 or 2", debug), http.StatusBadRequest)
		return
	}
	if name == "heap" && query.Get("gc") == "1" {
		runtime.GC()
	}
	level, _ := strconv.Atoi(debug)
	if level == 0 {
		attach(w, name)
	} else {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_ = p.WriteTo(w, level)
}

func cpuProfile(w http.ResponseWriter, r *http.Request) {
	record(w, r, "profile", cpuProfileTime, pprof.StartCPUProfile, pprof.StopCPUProfile)
}

func executionTrace(w http.ResponseWriter, r *http.Request) {
	record(w, r, "trace", traceTime, trace.Start, trace.Stop)
}

// record serves what is recorded in the seconds that the request asks for. The
// runtime allows one recording of a kind at a time.
func record(w http.ResponseWriter, r *http.Request, name string, d time.Duration, start func(io.Writer) error, stop func()) {
	if text := r.URL.Query().Get("seconds"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds > 0 && seconds <= maxRecordTime.Seconds()) { // or NaN
			http.Error(w, fmt.Sprintf("seconds=%q is not a number above 0 and up to %.0f", text, maxRecordTime.Seconds()), http.StatusBadRequest)
			return
		}
		d = time.Duration(seconds * float64(time.Second))
	}
	// Also a read deadline: when it passes, the request's context ends.
	end := time.Now().Add(d + adminTime)
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(end), control.SetWriteDeadline(end)
	attach(w, name)
	if r.Method == http.MethodHead {
		return
	}
	if err := start(w); err != nil {
		w.Header().Del("Content-Disposition")
		http.Error(w, fmt.Sprintf("a %s is being recorded already (%v); try again when it is over", name, err), http.StatusConflict)
		return
	}
	defer stop()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// attach makes a browser save what follows.
func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

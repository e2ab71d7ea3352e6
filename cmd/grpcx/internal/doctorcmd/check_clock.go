package doctorcmd

import (
	"errors"
	"fmt"
	"time"
)

// checkClock compares the clocks with each other and with what is known. wall
// and monotonic were read when the examination began.
func (e *examination) checkClock(wall time.Time, monotonic time.Duration) {
	now, mono := e.host.now()
	e.Clock.Time = now.UTC()
	const id, remedy = "clock.time", "set the clock and keep it with NTP (chrony, systemd-timesyncd)"
	built := e.host.built
	// A step is what the wall clock moved more than time passed.
	step := now.Sub(wall) - (mono - monotonic)
	switch {
	case now.Before(built):
		e.fail(id, "CLOCK_REALTIME", fmt.Sprintf("the clock shows %s, which was before this program was made: certificates will not be valid yet", stamp(now)), remedy)
	case now.After(built.AddDate(30, 0, 0)):
		e.fail(id, "CLOCK_REALTIME", fmt.Sprintf("the clock shows %s, 30 years after this program was made: certificates will have expired", stamp(now)), remedy)
	case step.Abs() > 100*time.Millisecond:
		e.warn(id, "CLOCK_REALTIME, CLOCK_MONOTONIC", fmt.Sprintf("the clock was stepped by %v while it was looked at", step.Round(time.Millisecond)),
			"let one service alone keep the clock, and slew it: chrony, systemd-timesyncd")
	default:
		e.okf(id, "CLOCK_REALTIME, CLOCK_MONOTONIC", "the clock shows %s and runs as the monotonic one does", stamp(now))
	}
	e.checkNTP()
}

func (e *examination) checkNTP() {
	const id, source = "clock.sync", "adjtimex(2)"
	// Beyond it, a certificate or token that was just issued is not valid yet.
	const most = time.Second
	state, err := e.host.ntp()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		e.okf(id, source, "this system does not tell whether its clock is synchronised")
		return
	case err != nil:
		e.okf(id, source, "whether the clock is synchronised cannot be asked here (%v); it is the node's", err)
		return
	}
	e.Clock.Synchronized = &state.synchronized
	e.Clock.MaxErrorUS = state.maxError.Microseconds()
	switch {
	case !state.synchronized:
		e.warn(id, source, "the kernel says that no time service keeps its clock: it drifts, and certificates that were just issued may not be valid yet",
			"run chrony or systemd-timesyncd on the machine")
	case state.maxError > most:
		e.warn(id, source, fmt.Sprintf("the clock is synchronised, but may be wrong by %v", state.maxError),
			"see whether the time service reaches its servers: chronyc sources, timedatectl timesync-status")
	default:
		e.okf(id, source, "the clock is synchronised, and wrong by at most %v", state.maxError)
	}
}

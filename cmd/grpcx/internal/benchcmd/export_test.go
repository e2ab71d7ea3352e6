package benchcmd

// SetIdleConnections changes how many connections the idle loads open: a full
// set takes seconds with the race detector.
func SetIdleConnections(n int) { idleConnections = n }

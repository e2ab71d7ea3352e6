// Package monitoring is the one source of what is said about the instruments of
// grpcx: the table in docs/telemetry.md, the alerts and the dashboard. Its tests
// write those files with -update and hold them, and the instruments of a real
// server, against the table.
package monitoring

// Package cgrouptest puts processes of tests into control groups made for them:
// real ones, of cgroup v1 or v2, whichever the machine mounts below
// /sys/fs/cgroup.
//
// A test skips, with the reason, where it may not make groups: that takes root
// and a writable hierarchy. Groups end with their test, and with the test
// process if that ends in any other way; no group is touched that this process
// did not make.
//
// TestMain of a package that uses it calls [Main] first and [Close] at the end.
package cgrouptest

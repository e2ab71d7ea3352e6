// Package vmtest runs test binaries on a real Linux kernel of another
// architecture, in a virtual machine of qemu-system: with control groups v2,
// other page sizes, and the race detector, none of which qemu-user can give.
//
// The host side builds the binaries, writes them into an initial file system
// of which the program in the subdirectory init is the first process, boots,
// and reads the results from the console. `make test-vm` is the way in; it is
// described in docs/arm64.md.
//
// What a test finds inside the machine:
//
//   - GRPCX_VM=1 in its environment.
//   - A control group v2 tree at /sys/fs/cgroup, writable, with every
//     controller enabled for the children of its root.
//   - Itself in a leaf of its own, a child of that root, which is removed
//     after it, with whatever it left running.
//   - Its working directory holding the files of its package, as go test has
//     it; no go command and no other program.
//   - Loopback up, /tmp writable, no other network.
package vmtest

// Package doctorcmd is the command "grpcx doctor": what the SDK would decide on
// this machine and why, and what would stand in the way of a server here.
//
// Every check reads a host, which is the machine or, in tests, files and
// functions that stand for one. The decisions are not computed again: they are
// those of runtimex, tlsx and grpcx themselves, called as a server calls them.
package doctorcmd

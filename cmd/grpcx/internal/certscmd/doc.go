// Package certscmd is "grpcx certs": a small certificate authority in a
// directory, for servers and clients that use package tlsx.
//
// The authority's directory holds ca.crt, ca.key and index.json: what was
// issued and revoked. One process at a time changes it, under a file lock. A
// certificate is recorded before it is handed out, so that none escapes
// revocation.
//
// A certificate is delivered as a directory with tls.crt, tls.key and ca.crt,
// the names of a Kubernetes TLS Secret. The three are symbolic links through
// ..data to a directory with the time in its name, as the kubelet's atomic
// writer does it, so that a renewal swaps them all in one rename. On Windows
// symbolic links need a privilege or the developer mode.
package certscmd

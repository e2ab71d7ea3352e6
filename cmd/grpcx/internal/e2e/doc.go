// Package e2e tests what "grpcx certs" makes where it is used: under a server
// with load, and with the TLS of other languages.
package e2e

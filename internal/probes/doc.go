// Package probes holds the server, with mutual TLS on its serving port, against
// the probes that operators use: kubelet's own code for gRPC and HTTP probes,
// and grpc-health-probe.
//
// The tests compile some four hundred packages of Kubernetes and run with
// `make test-probes` only.
package probes

// Package manifests tests examples/deploy with the code of those who will read
// it: Kustomize renders every overlay, the API server's own decoders and
// validation judge each object, those of cert-manager and Istio by their
// resource definitions, Compose loads the compose file, and Envoy's types its
// configuration. Nothing contacts a cluster or a daemon.
//
// All that takes minutes to compile, and the resource definitions come from Go
// modules that are downloaded, so `make test-deploy` runs it and `make test`
// does not.
package manifests

// Package release makes releases of the repository's modules. All of them are
// released together, from one commit, with one version.
//
// In the repository the nested modules replace the SDK by the checkout, and
// go install refuses a module that does so. A release is therefore a commit of
// its own beside the branch, whose go.mod and go.sum files name the released
// versions instead; the tags of all modules point at it. The hashes in its
// go.sum files are those of modules that nobody published yet, computed as the
// go command will compute them (https://go.dev/ref/mod#go-sum-files).
//
// docs/releasing.md says how to make one.
package release

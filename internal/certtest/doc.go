// Package certtest makes certificate authorities and certificates for tests at
// run time, so that no certificate in the tree can expire.
package certtest

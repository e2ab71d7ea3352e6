//go:build !unix

package certscmd

// syncDir does nothing: there a directory cannot be synchronized.
func syncDir(string) error { return nil }

//go:build !unix

package doctorcmd

func fileLimits() (soft, hard uint64) { return 0, 0 }

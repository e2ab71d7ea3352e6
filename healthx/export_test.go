package healthx

// Product and FormatBytes are the arithmetic of DiskSpace, for sizes that no
// disk of a test has.
var (
	Product      = product[int64, uint64]
	ProductMixed = product[uint64, int32]
	FormatBytes  = formatBytes
	RedactTarget = redactTarget
)

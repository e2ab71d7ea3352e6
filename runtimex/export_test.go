package runtimex

// ParseByteCount lets the fuzz test reach the parser of GOMEMLIMIT.
var ParseByteCount = parseByteCount

package tlsx

// The parsers, for the fuzz targets, and the path walk.
var (
	ParseChain     = parseChain
	ParseBundle    = parseBundle
	ParseKey       = parseKey
	ServedNotAfter = servedNotAfter
)

// DecodePEM returns the decoded blocks.
func DecodePEM(data []byte) ([][]byte, error) {
	blocks, err := decodePEM(data)
	var out [][]byte
	for _, b := range blocks {
		out = append(out, b.Bytes)
	}
	return out, err
}

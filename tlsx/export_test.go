package tlsx

import "crypto/x509"

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

// Proven is how many client chains the bundle is known to vouch for, and the
// most that it keeps.
func (s *Snapshot) Proven() (n, most int) {
	return len(s.roots.recent) + len(s.roots.older), 2 * maxProven
}

// Prove notes a chain as a handshake does.
func (s *Snapshot) Prove(chain ...*x509.Certificate) { s.roots.proven([][]*x509.Certificate{chain}) }

package tlsx

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A pemBlock is one block of a file and where it begins.
type pemBlock struct {
	*pem.Block
	number, line int
}

// errorf names the block. It never prints the content.
func (b pemBlock) errorf(format string, args ...any) error {
	return fmt.Errorf("block %d (line %d) "+format, append([]any{b.number, b.line}, args...)...)
}

const (
	pemBegin  = "-----BEGIN "
	pemEnd    = "-----END "
	pemDashes = "-----"
)

// decodePEM splits data into its blocks. It is strict where [pem.Decode] skips
// what it cannot read: a bundle that lost a block must not pass for a smaller
// one. A UTF-8 byte order mark, text between the blocks and commented-out
// blocks are tolerated. No error repeats a line of the data: it may be a key.
func decodePEM(data []byte) ([]pemBlock, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("the file is UTF-16 text; save it as ASCII or UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if looksBinary(data) {
		return nil, errors.New(`the file is binary, not PEM; convert it with "openssl x509 -inform der", "openssl pkey -inform der" or, from PKCS #12, "openssl pkcs12"`)
	}
	var blocks []pemBlock
	rest, line := data, 0
	for len(rest) > 0 {
		var text []byte
		at := rest
		text, rest = cutLine(rest)
		line++
		if !bytes.HasPrefix(text, []byte(pemBegin)) {
			if err := checkBetween(text, line); err != nil {
				return nil, err
			}
			continue
		}
		label, ok := strings.CutSuffix(strings.TrimPrefix(string(text), pemBegin), pemDashes)
		if !ok || label == "" || strings.Contains(label, "-") {
			return nil, fmt.Errorf("line %d: the BEGIN line is malformed; its line breaks may have been lost, restore them", line)
		}
		size, lines, err := blockExtent(at, label)
		if err != nil {
			return nil, fmt.Errorf("block %d (line %d): %w", len(blocks)+1, line, err)
		}
		block, left := pem.Decode(at[:size])
		if block == nil || block.Type != label || len(bytes.TrimSpace(left)) > 0 {
			return nil, fmt.Errorf("block %d (line %d) is not valid base64; copy the file again", len(blocks)+1, line)
		}
		blocks = append(blocks, pemBlock{Block: block, number: len(blocks) + 1, line: line})
		rest = at[size:]
		line += lines - 1
	}
	return blocks, nil
}

// blockExtent returns the size in bytes and the lines of the block that data
// begins with.
func blockExtent(data []byte, label string) (size, lines int, err error) {
	rest := data
	_, rest = cutLine(rest)
	lines = 1
	for len(rest) > 0 {
		var text []byte
		text, rest = cutLine(rest)
		lines++
		switch {
		case string(text) == pemEnd+label+pemDashes:
			return len(data) - len(rest), lines, nil
		case bytes.HasPrefix(text, []byte(pemEnd)):
			return 0, 0, errors.New("its END line does not match its BEGIN line, or a line break after it is missing; restore the file")
		case bytes.Contains(text, []byte(pemDashes)):
			return 0, 0, errors.New("another PEM line comes before its END line; the file is damaged, copy it again")
		}
	}
	return 0, 0, errors.New("has no END line; the file is truncated, copy it again")
}

// checkBetween refuses a line outside blocks that looks like PEM, unless it is
// commented out.
func checkBetween(text []byte, line int) error {
	trimmed := bytes.TrimLeft(text, " \t")
	if bytes.HasPrefix(trimmed, []byte("#")) {
		return nil
	}
	if bytes.HasPrefix(trimmed, []byte(pemDashes)) ||
		bytes.Contains(trimmed, []byte(pemDashes+"BEGIN")) || bytes.Contains(trimmed, []byte(pemDashes+"END")) {
		return fmt.Errorf("line %d looks like PEM but begins no block: a BEGIN line must start its line, and an END line must follow one; restore the file, or start a comment with #", line)
	}
	return nil
}

// cutLine returns the first line without its end and trailing blanks.
func cutLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte("\n"))
	return bytes.TrimRight(line, " \t\r"), rest
}

// looksBinary finds DER, PKCS #12 and other data that no text editor wrote.
func looksBinary(data []byte) bool {
	return len(data) > 0 && (data[0] == 0x30 && !bytes.Contains(data, []byte(pemBegin)) && !isText(data) || bytes.IndexByte(data, 0) >= 0)
}

func isText(data []byte) bool {
	return !slices.ContainsFunc(data, func(c byte) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' })
}

// knownLabels are the block types that an error may name. Any other label is
// not printed: in a damaged key file it could be part of the key.
var knownLabels = []string{
	"CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST",
	"X509 CRL", "PKCS7", "PUBLIC KEY", "RSA PUBLIC KEY", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
	"DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "TSS2 PRIVATE KEY", "EC PARAMETERS", "DH PARAMETERS",
}

func labelOf(b pemBlock) string {
	if slices.Contains(knownLabels, b.Type) {
		return b.Type
	}
	return "of an unknown type"
}

func isPrivateKey(b pemBlock) bool { return strings.HasSuffix(b.Type, "PRIVATE KEY") }

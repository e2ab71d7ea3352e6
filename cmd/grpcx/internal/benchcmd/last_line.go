package benchcmd

import "strings"

// lastLine keeps the end of what is written to it. It is read when the writer
// has ended.
type lastLine struct{ text []byte }

const maxLine = 4 << 10

// Write implements io.Writer and never fails.
func (l *lastLine) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	if over := len(l.text) - maxLine; over > 0 {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	return len(p), nil
}

// String returns the last line that is not empty.
func (l *lastLine) String() string {
	text := strings.TrimSpace(string(l.text))
	text = text[strings.LastIndexByte(text, '\n')+1:]
	return strings.TrimPrefix(text, "grpcx: ")
}

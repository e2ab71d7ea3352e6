package parse

import (
	"bytes"
	"strconv"
	"time"
)

// Stall is one line of a pressure file: percent of the time over the last 10,
// 60 and 300 seconds, and the total.
type Stall struct {
	Avg10, Avg60, Avg300 float64
	Total                time.Duration
}

// PSI is a pressure file.
type PSI struct {
	Some, Full Stall
}

// ReadPSI reads cpu.pressure, memory.pressure or io.pressure:
//
//	some avg10=0.12 avg60=0.10 avg300=0.02 total=12345
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=678
//
// with the total in microseconds. Kernels before 5.13 have no full line for the
// CPU. Unknown lines and fields are left for newer kernels to define.
//
// https://docs.kernel.org/accounting/psi.html
func ReadPSI(data []byte) (PSI, error) {
	const want = `lines of "some avg10=<percent> avg60=<percent> avg300=<percent> total=<microseconds>"`
	var p PSI
	some := false
	for rest := data; len(rest) > 0; {
		var line []byte
		var complete bool
		line, rest, complete = bytes.Cut(rest, newline)
		kind, fields, _ := bytes.Cut(line, []byte{' '})
		stall, ok := readStall(fields)
		if !complete || !ok {
			return PSI{}, malformed(line, want)
		}
		switch string(kind) {
		case "some":
			p.Some, some = stall, true
		case "full":
			p.Full = stall
		}
	}
	if !some {
		return PSI{}, malformed(data, want)
	}
	return p, nil
}

func readStall(fields []byte) (Stall, bool) {
	var s Stall
	seen := 0
	for field := range bytes.SplitSeq(fields, []byte{' '}) {
		key, text, _ := bytes.Cut(field, []byte{'='})
		var ok bool
		switch string(key) {
		case "avg10":
			s.Avg10, ok = percent(text)
		case "avg60":
			s.Avg60, ok = percent(text)
		case "avg300":
			s.Avg300, ok = percent(text)
		case "total":
			var n uint64
			n, ok = unsigned(text)
			s.Total = duration(n, time.Microsecond)
		default:
			continue
		}
		if !ok {
			return Stall{}, false
		}
		seen++
	}
	return s, seen == 4
}

// percent reads a decimal number from 0 to 100: no sign, exponent, infinity or
// NaN.
func percent(text []byte) (float64, bool) {
	for _, c := range text {
		if c != '.' && (c < '0' || c > '9') {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil && f <= 100
}

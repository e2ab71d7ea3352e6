package parse_test

import (
	"bytes"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

// line is the first line of data as the oracles see it.
func line(data []byte) (string, bool) {
	before, _, found := strings.Cut(string(data), "\n")
	return before, found
}

func TestCPUMax(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"max 100000\n": 0, "200000 100000\n": 2, "1000 1000000\n": 0.001, "150000 100000\n": 1.5,
		"max 100000\n00\n":              0, // the end of a newer content
		"9223372036854775807 1\n":       math.MaxInt64,
		"1 9223372036854775807\ntrail":  1.0 / math.MaxInt64,
		"9223372036854775807 100000\nx": math.MaxInt64 / 100000.0,
	} {
		got, err := parse.CPUMax([]byte(text))
		assert.NoError(t, err, text)
		assert.Equal(t, got, want, text)
	}
	for _, text := range []string{"", "\n", "max", "max\n", "max 0\n", "20000", "200000 10", "0 1\n", "1 0\n", "-1 1\n", "1 1 1\n", "NaN 1\n", "1e3 1\n"} {
		got, err := parse.CPUMax([]byte(text))
		assert.ErrorContains(t, err, "malformed: got ", `want "<quota> <period>"`)
		assert.Equal(t, got, 0, text)
	}
}

func TestMalformedIsBounded(t *testing.T) {
	t.Parallel()
	_, err := parse.CPUMax(bytes.Repeat([]byte{'x'}, 1000))
	assert.ErrorContains(t, err, `"`+strings.Repeat("x", 64)+`"…, want`)
}

func FuzzCPUMax(f *testing.F) {
	for _, seed := range []string{"max 100000\n", "200000 100000\n", "20000", "-1 5\n", "1 0\n", "9223372036854775808 1\n", "1 1\n\n"} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`^([0-9]+) ([0-9]+)$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse.CPUMax(data)
		want, valid := 0.0, false
		if text, complete := line(data); complete {
			if m := form.FindStringSubmatch(text); m != nil {
				quota, _ := new(big.Int).SetString(m[1], 10)
				period, _ := new(big.Int).SetString(m[2], 10)
				if quota.Sign() > 0 && period.Sign() > 0 && quota.IsInt64() && period.IsInt64() {
					want, valid = float64(quota.Int64())/float64(period.Int64()), true
				}
			} else if rest, ok := strings.CutPrefix(text, "max "); ok && regexp.MustCompile(`^[0-9]+$`).MatchString(rest) {
				period, _ := new(big.Int).SetString(rest, 10)
				valid = period.Sign() > 0 && period.IsInt64()
			}
		}
		if got != want || (err == nil) != valid || math.IsInf(got, 0) || math.IsNaN(got) {
			t.Errorf("%q: got %v, %v; want %v, valid %v", data, got, err, want, valid)
		}
	})
}

func TestCFS(t *testing.T) {
	t.Parallel()
	quota, err := parse.CFSQuota([]byte("-1\n"))
	assert.NoError(t, err)
	assert.Equal(t, quota, 0)
	quota, err = parse.CFSQuota([]byte("150000\n"))
	assert.NoError(t, err)
	assert.Equal(t, quota, 150000)
	period, err := parse.CFSPeriod([]byte("100000\n"))
	assert.NoError(t, err)
	assert.Equal(t, period, 100000)
	for _, text := range []string{"", "-1", "15000", "0\n", "-2\n", "1 1\n", "9223372036854775808\n"} {
		quota, err := parse.CFSQuota([]byte(text))
		assert.ErrorContains(t, err, "malformed")
		assert.Equal(t, quota, 0, text)
		period, err := parse.CFSPeriod([]byte(text))
		assert.ErrorContains(t, err, "malformed")
		assert.Equal(t, period, 0, text)
	}
}

func FuzzCFS(f *testing.F) {
	for _, seed := range []string{"-1\n", "150000\n", "15000", "0\n", "99999999999999999999\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, complete := line(data)
		n, ok := new(big.Int).SetString(text, 10)
		number := complete && ok && n.Sign() > 0 && n.IsInt64() && !strings.ContainsAny(text, "+_")
		for name, read := range map[string]func([]byte) (int64, error){"quota": parse.CFSQuota, "period": parse.CFSPeriod} {
			got, err := read(data)
			unlimited := name == "quota" && complete && text == "-1"
			if (err == nil) != (number || unlimited) {
				t.Errorf("%s %q: %d, %v", name, data, got, err)
			}
			if number && got != n.Int64() || !number && got != 0 {
				t.Errorf("%s %q: %d", name, data, got)
			}
		}
	})
}

func TestMemoryValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"max\n":                  parse.NoLimit,
		"1\n":                    1,
		"536870912\n":            536870912,
		"9223372036854771712\n":  parse.NoLimit, // v1, 4 KiB pages
		"9223372036854759424\n":  parse.NoLimit, // v1, 16 KiB pages
		"9223372036854710272\n":  parse.NoLimit, // v1, 64 KiB pages
		"9223372036854710271\n":  9223372036854710271,
		"9223372036854775807\n":  parse.NoLimit, // v1 before 3.19
		"18446744073709551615\n": parse.NoLimit,
		"8796093018112\n":        parse.NoLimit, // v1, 32-bit
	} {
		got, err := parse.MemoryValue([]byte(text))
		assert.NoError(t, err, text)
		assert.Equal(t, got, want, text)
	}
	for _, text := range []string{"", "max", "1048576", "0\n", "-1\n", "1M\n", " 1\n", "1.5\n", "18446744073709551616\n"} {
		got, err := parse.MemoryValue([]byte(text))
		assert.ErrorContains(t, err, "malformed", "a positive number of bytes")
		assert.Equal(t, got, parse.NoLimit, text)
	}
}

func FuzzMemoryValue(f *testing.F) {
	for _, seed := range []string{"max\n", "536870912\n", "53687091", "0\n", "-1\n", "9223372036854771712\n", "18446744073709551616\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse.MemoryValue(data)
		text, complete := line(data)
		n, ok := new(big.Int).SetString(text, 10)
		ok = ok && complete && n.Sign() > 0 && n.IsUint64() && !strings.ContainsAny(text, "+_")
		if (err == nil) != (ok || complete && text == "max") {
			t.Errorf("%q: %d, %v", data, got, err)
		}
		if got <= 0 || got != parse.NoLimit && (!ok || got != n.Int64()) {
			t.Errorf("%q: %d", data, got)
		}
	})
}

func TestHierarchicalLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		limit int64
		known bool
		err   bool
	}{
		{"cache 1\nhierarchical_memory_limit 1048576\nhierarchical_memsw_limit 5\n", 1048576, true, false},
		{"hierarchical_memory_limit 9223372036854771712\n", parse.NoLimit, true, false},
		{"cache 1\n", parse.NoLimit, false, false},
		{"cache -1\nhierarchical_memory_limit 5\n", 5, true, false},
		{"cache 1\nhierarchical_memory_limit 10485", parse.NoLimit, false, true},
		{"hierarchical_memory_limit max\n", parse.NoLimit, false, true},
		{"hierarchical_memory_limit 0\n", parse.NoLimit, false, false},
		{"", parse.NoLimit, false, false},
	} {
		limit, known, err := parse.HierarchicalLimit([]byte(tt.text))
		assert.Equal(t, limit, tt.limit, tt.text)
		assert.Equal(t, known, tt.known, tt.text)
		assert.Equal(t, err != nil, tt.err, tt.text)
	}
}

func FuzzHierarchicalLimit(f *testing.F) {
	for _, seed := range []string{"cache 1\nhierarchical_memory_limit 1048576\n", "hierarchical_memory_limit 10", "hierarchical_memory_limit 0\n"} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`(?m)^hierarchical_memory_limit ([0-9]+)\n`)
	f.Fuzz(func(t *testing.T, data []byte) {
		limit, known, err := parse.HierarchicalLimit(data)
		if limit <= 0 || limit != parse.NoLimit && !known || known && err != nil {
			t.Errorf("%q: %d, %v, %v", data, limit, known, err)
		}
		if !known || limit == parse.NoLimit {
			return
		}
		stated := false
		for _, m := range form.FindAllSubmatch(data, -1) {
			n, _ := new(big.Int).SetString(string(m[1]), 10)
			stated = stated || n.IsInt64() && n.Int64() == limit
		}
		if !stated {
			t.Errorf("%q: nothing states a limit of %d", data, limit)
		}
	})
}

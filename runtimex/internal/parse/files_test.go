package parse_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

func TestCPUStat(t *testing.T) {
	t.Parallel()
	got, err := parse.ReadCPUStat([]byte("usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 2500\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, parse.CPUStat{Periods: 10, Throttled: 3, ThrottledTime: 2500 * time.Microsecond})
	got, err = parse.ReadCPUStat([]byte("nr_periods 10\nnr_throttled 3\nthrottled_time 2500\nburst_time 1\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, parse.CPUStat{Periods: 10, Throttled: 3, ThrottledTime: 2500})
	got, err = parse.ReadCPUStat([]byte("nr_periods x\nthrottled_usec 18446744073709551615\nnr_throttled 1"))
	assert.ErrorContains(t, err, `got "nr_periods x"`)
	assert.Equal(t, got, parse.CPUStat{ThrottledTime: math.MaxInt64})
}

func TestMemoryEvents(t *testing.T) {
	t.Parallel()
	got, err := parse.ReadMemoryEvents([]byte("low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, parse.MemoryEvents{High: 2, Max: 3, OOM: 4, OOMKill: 5})
	got, err = parse.ReadMemoryEvents([]byte("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, parse.MemoryEvents{OOMKill: 7})
	n, err := parse.Counter([]byte("12\n"))
	assert.NoError(t, err)
	assert.Equal(t, n, 12)
	for _, text := range []string{"", "12", "-1\n", "a\n"} {
		_, err = parse.Counter([]byte(text))
		assert.ErrorContains(t, err, "malformed")
	}
}

// FuzzStatistics holds the flat keyed files against a regular expression.
func FuzzStatistics(f *testing.F) {
	for _, seed := range []string{
		"nr_periods 10\nnr_throttled 3\nthrottled_usec 2500\n", "throttled_time 5\nnr_periods", "high 1\nmax 2\noom 3\noom_kill 4\n", "max -1\n", " 5\n", "5\n",
	} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`^([^ ]+) ([0-9]+)\n$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		last, wrong := map[string]uint64{}, false
		for l := range strings.Lines(string(data)) {
			m := form.FindStringSubmatch(l)
			if m == nil {
				wrong = true
				continue
			}
			n, err := strconv.ParseUint(m[2], 10, 64)
			if err != nil {
				wrong = true
				continue
			}
			last[m[1]] = n
		}
		s, err := parse.ReadCPUStat(data)
		if (err != nil) != wrong || s.Periods != last["nr_periods"] || s.Throttled != last["nr_throttled"] || s.ThrottledTime < 0 {
			t.Errorf("%q: %+v, %v", data, s, err)
		}
		e, err := parse.ReadMemoryEvents(data)
		if (err != nil) != wrong || e != (parse.MemoryEvents{High: last["high"], Max: last["max"], OOM: last["oom"], OOMKill: last["oom_kill"]}) {
			t.Errorf("%q: %+v, %v", data, e, err)
		}
		if n, err := parse.Counter(data); err == nil && !strings.Contains(strings.TrimLeft(string(data), " \t0"), strings.TrimLeft(strconv.FormatUint(n, 10), "0")) {
			t.Errorf("%q: %d", data, n)
		}
	})
}

func TestMemTotal(t *testing.T) {
	t.Parallel()
	got, err := parse.MemTotal([]byte("MemFree: 5 kB\nMemTotal:       24684096 kB\nSwapTotal: 1 kB\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, 24684096<<10)
	for _, text := range []string{"", "MemFree: 5 kB\n", "MemTotal: 5 kB", "MemTotal: 5\n", "MemTotal: 0 kB\n", "MemTotal: -5 kB\n", "MemTotal: 9007199254740992 kB\n", "xMemTotal: 5 kB\n"} {
		got, err := parse.MemTotal([]byte(text))
		assert.ErrorContains(t, err, "malformed", "MemTotal")
		assert.Equal(t, got, 0, text)
	}
}

func FuzzMemTotal(f *testing.F) {
	for _, seed := range []string{"MemTotal:       24684096 kB\nMemFree: 5 kB\n", "MemTotal: 5", "MemTotal: 9007199254740992 kB\n"} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`(?m)^MemTotal: *([0-9]+) kB\n`)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse.MemTotal(data)
		if err != nil {
			if got != 0 {
				t.Errorf("%q: %d with an error", data, got)
			}
			return
		}
		m := form.FindSubmatch(data)
		if m == nil || got <= 0 || got%1024 != 0 {
			t.Fatalf("%q: %d", data, got)
		}
		if n, _ := strconv.ParseInt(string(m[1]), 10, 64); n != got>>10 {
			t.Errorf("%q: %d", data, got)
		}
	})
}

// auxv encodes pairs as the kernel does.
func auxv(wordBits int, order binary.AppendByteOrder, words ...uint64) []byte {
	var b []byte
	for _, w := range words {
		if wordBits == 32 {
			b = order.AppendUint32(b, uint32(w))
		} else {
			b = order.AppendUint64(b, w)
		}
	}
	return b
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{32, 64} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			byteOrder := order.(binary.ByteOrder)
			for _, size := range []uint64{4096, 16384, 65536} {
				got, err := parse.PageSize(auxv(bits, order, 33, 0x7fff0000, 16, 6, 6, size, 9, 4096, 0, 0), bits, byteOrder)
				assert.NoError(t, err)
				assert.Equal(t, got, int(size))
			}
			for _, words := range [][]uint64{nil, {6}, {16, 6}, {0, 0, 6, 4096}, {6, 0}, {6, 4095}, {6, 1 << 31}, {6, 6}} {
				_, err := parse.PageSize(auxv(bits, order, words...), bits, byteOrder)
				assert.ErrorContains(t, err, "malformed")
			}
		}
	}
}

func FuzzPageSize(f *testing.F) {
	f.Add(auxv(64, binary.LittleEndian, 33, 5, 6, 4096, 0, 0))
	f.Add(auxv(32, binary.BigEndian, 6, 65536, 0, 0))
	f.Add([]byte{6, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, bits := range []int{32, 64} {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				size, err := parse.PageSize(data, bits, order.(binary.ByteOrder))
				if err != nil {
					if size != 0 {
						t.Errorf("%x: %d with an error", data, size)
					}
					continue
				}
				pair := auxv(bits, order, 6, uint64(size))
				at := -1
				for i := 0; i+len(pair) <= len(data); i += len(pair) {
					if bytes.Equal(data[i:i+len(pair)], pair) {
						at = i
						break
					}
				}
				if at < 0 || size < 1024 || size&(size-1) != 0 {
					t.Errorf("%x, %d bits: %d", data, bits, size)
				}
			}
		}
	})
}

func cpus(s parse.CPUSet) []int {
	var list []int
	for i := range len(s) * 64 {
		if s[i/64]>>(i%64)&1 == 1 {
			list = append(list, i)
		}
	}
	return list
}

func TestCPUSets(t *testing.T) {
	t.Parallel()
	allowed, err := parse.CPUsAllowed([]byte("Name:\tx\nCpus_allowed:\t1,80000000,0000000f\nCpus_allowed_list:\t0-3,63-64\n"))
	assert.NoError(t, err)
	assert.Equal(t, cpus(allowed), []int{0, 1, 2, 3, 63, 64})
	online, err := parse.CPUList([]byte("1-2,64,70\n"))
	assert.NoError(t, err)
	assert.Equal(t, cpus(online), []int{1, 2, 64, 70})
	assert.Equal(t, cpus(allowed.And(online)), []int{1, 2, 64})
	assert.Equal(t, allowed.And(online).Len(), 3)
	for _, text := range []string{"", "Cpus_allowed:\tf", "Cpus_allowed:\t0\n", "Cpus_allowed:\tg\n", "Cpus_allowed:\t1,\n", "Cpus_allowed:\t100000000\n", "Cpus_allowed_list:\t0\n", "Cpus_allowed:\t" + strings.Repeat("1,", 1<<16) + "1\n"} {
		_, err := parse.CPUsAllowed([]byte(text))
		assert.ErrorContains(t, err, "malformed")
	}
	for _, text := range []string{"", "0", "\n", "3-1\n", "a\n", "-1\n", "0-\n", "0,\n", "0-65536\n", "0-18446744073709551615\n"} {
		_, err := parse.CPUList([]byte(text))
		assert.ErrorContains(t, err, "malformed")
	}
}

func FuzzCPUsAllowed(f *testing.F) {
	for _, seed := range []string{"Name:\tx\nCpus_allowed:\t1,80000000,0000000f\n", "Cpus_allowed:\tf", "Cpus_allowed:\tffffffff,ffffffff\n"} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`(?m)^Cpus_allowed:[ \t]*([0-9a-fA-F,]+)\n`)
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parse.CPUsAllowed(data)
		if err != nil {
			return
		}
		m := form.FindSubmatch(data)
		if m == nil {
			t.Fatalf("%q: %v", data, cpus(set))
		}
		var want []int
		groups := strings.Split(string(m[1]), ",")
		slices.Reverse(groups)
		for i, g := range groups {
			n, _ := strconv.ParseUint(g, 16, 64)
			for bit := range 32 {
				if n>>bit&1 == 1 {
					want = append(want, i*32+bit)
				}
			}
		}
		if !slices.Equal(cpus(set), want) || set.Len() != len(want) {
			t.Errorf("%q: got %v, want %v", data, cpus(set), want)
		}
	})
}

func FuzzCPUList(f *testing.F) {
	for _, seed := range []string{"0-3,8\n", "0\n", "5-2\n", "0-99999999\n", "1,1-3\n"} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\n`)
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parse.CPUList(data)
		if err != nil {
			return
		}
		if !form.Match(data) {
			t.Fatalf("%q: %v", data, cpus(set))
		}
		want := map[int]bool{}
		text, _ := line(data)
		for item := range strings.SplitSeq(text, ",") {
			var from, to int
			if n, _ := fmt.Sscanf(item, "%d-%d", &from, &to); n == 1 {
				to = from
			}
			for i := from; i <= to; i++ {
				want[i] = true
			}
		}
		if !slices.Equal(cpus(set), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%q: got %v", data, cpus(set))
		}
	})
}

func TestPSI(t *testing.T) {
	t.Parallel()
	got, err := parse.ReadPSI([]byte("some avg10=100.00 avg60=1.50 avg300=0.30 total=42\nfull avg10=0.01 avg60=0.00 avg300=0.00 total=7\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, parse.PSI{
		Some: parse.Stall{Avg10: 100, Avg60: 1.5, Avg300: 0.3, Total: 42 * time.Microsecond},
		Full: parse.Stall{Avg10: 0.01, Total: 7 * time.Microsecond},
	})
	for _, text := range []string{
		"", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", "some avg10=0.00 avg60=0.00 total=0\n", "some avg10=NaN avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=-1.00 avg60=0.00 avg300=0.00 total=0\n", "some avg10=100.01 avg60=0.00 avg300=0.00 total=0\n", "some avg10= avg60=0.00 avg300=0.00 total=0\n",
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", "some avg10=1e1 avg60=0.00 avg300=0.00 total=0\n",
	} {
		got, err := parse.ReadPSI([]byte(text))
		assert.ErrorContains(t, err, "malformed")
		assert.Equal(t, got, parse.PSI{}, text)
	}
}

func FuzzPSI(f *testing.F) {
	for _, seed := range []string{
		"some avg10=1.00 avg60=1.50 avg300=0.30 total=42\nfull avg10=0.01 avg60=0.00 avg300=0.00 total=7\n",
		"some avg10=NaN avg60=Inf avg300=1e9 total=-1\n", "some avg10=.5 avg60=5. avg300=1.2.3 total=1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse.ReadPSI(data)
		if err != nil {
			assert.Equal(t, p, parse.PSI{})
			return
		}
		for _, s := range []parse.Stall{p.Some, p.Full} {
			for _, avg := range []float64{s.Avg10, s.Avg60, s.Avg300} {
				if !(avg >= 0 && avg <= 100) {
					t.Errorf("%q: %v", data, avg)
				}
			}
			if s.Total < 0 {
				t.Errorf("%q: total %d", data, s.Total)
			}
		}
		if !bytes.HasSuffix(data, []byte("\n")) || !bytes.Contains(data, []byte("some ")) {
			t.Errorf("%q was accepted", data)
		}
	})
}

package vmtest_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/vmtest"
)

var plan = vmtest.Plan{Jobs: []vmtest.Job{
	{Name: "one"},
	{Name: "two", Exit: 66, Output: "DATA RACE"},
}}

const (
	boots = "[    0.0] Linux\r\n" + vmtest.Mark + `{"kind":"machine","machine":{"kernel":"6.1","page_size":16384,"cpus":8,"controllers":"cpu"}}` + "\r\n"
	done  = vmtest.Mark + `{"kind":"done"}` + "\n"

	passing = boots + "\r\n" +
		vmtest.Mark + `{"kind":"start","job":"one"}` + "\r\nsome text\r\n" +
		vmtest.Mark + `{"kind":"end","job":"one","result":{"exit":0,"detail":"exit status 0","seconds":1.25}}` + "\r\n" +
		vmtest.Mark + `{"kind":"start","job":"two"}` + "\r\nWARNING: DATA RACE\r\n" +
		vmtest.Mark + `{"kind":"end","job":"two","result":{"exit":66,"detail":"exit status 66","seconds":2}}` + "\r\n" +
		done + "reboot: Power down\n"
)

func starts(job string) string {
	return vmtest.Mark + `{"kind":"start","job":"` + job + `"}` + "\n"
}

func ends(job, result string) string {
	return vmtest.Mark + `{"kind":"end","job":"` + job + `","result":` + result + "}\n"
}

func TestRead(t *testing.T) {
	t.Parallel()
	good := starts("one") + ends("one", `{}`)
	tests := []struct {
		name, console string
		failures      []string // parts of them, in order
		err           string
	}{
		{"passes", passing, nil, ""},
		{"no newline at the end", strings.TrimSuffix(boots+good+starts("two")+"DATA RACE\n"+ends("two", `{"exit":66}`)+done, "\n"), nil, ""},

		{"a job fails", boots + starts("one") + ends("one", `{"exit":1,"detail":"exit status 1"}`) +
			starts("two") + "DATA RACE\n" + ends("two", `{"exit":66}`) + done,
			[]string{"FAIL\tone\t0.000s\t(exit status 1, want exit status 0)"}, ""},
		{"killed for memory", boots + starts("one") + ends("one", `{"exit":137,"detail":"signal: killed","oom_kills":2}`) +
			starts("two") + "DATA RACE\n" + ends("two", `{"exit":66}`) + done,
			[]string{"signal: killed, want exit status 0; 2 killed for memory"}, ""},
		{"processes left", boots + starts("one") + ends("one", `{"left":3}`) +
			starts("two") + "DATA RACE\n" + ends("two", `{"exit":66}`) + done,
			[]string{"3 processes left running"}, ""},
		{"the wanted exit status for another reason", boots + good + starts("two") + "unsupported\n" + ends("two", `{"exit":66}`) + done,
			[]string{`did not print "DATA RACE"`}, ""},
		{"the wanted output of another job", boots + starts("one") + "DATA RACE\n" + ends("one", `{}`) + starts("two") + ends("two", `{"exit":66}`) + done,
			[]string{`did not print "DATA RACE"`}, ""},
		{"passes though it should fail", boots + good + starts("two") + "DATA RACE\n" + ends("two", `{"detail":"exit status 0"}`) + done,
			[]string{"exit status 0, want exit status 66"}, ""},

		{"nothing", "", nil, "before init ran"},
		{"kernel panic", "Kernel panic - not syncing\n", nil, "before init ran"},
		{"stops in a job", boots + starts("one") + "text\n", nil, "while one ran, after 0 of 2 jobs"},
		{"stops between jobs", boots + good, nil, "stopped after 1 of 2 jobs"},
		{"stops before done", boots + good + starts("two") + ends("two", `{}`), []string{"two"}, "stopped after 2 of 2 jobs"},
		{"done too early", boots + good + done, nil, "out of place after 1 of 2 jobs"},
		{"done twice", passing + done, nil, "out of place"},
		{"boots twice", boots + boots, nil, "out of place"},
		{"starts twice", boots + starts("one") + starts("one"), nil, "out of place"},
		{"starts before it boots", starts("one"), nil, "out of place"},
		{"another order", boots + starts("two"), nil, "out of place"},
		{"end without result", boots + starts("one") + vmtest.Mark + `{"kind":"end","job":"one"}` + "\n", nil, "out of place"},
		{"end of another", boots + starts("one") + ends("two", `{}`), nil, "out of place"},
		{"machine without a word", vmtest.Mark + `{"kind":"machine"}` + "\n", nil, "out of place"},
		{"unknown", boots + vmtest.Mark + `{"kind":"news"}` + "\n", nil, "out of place"},
		{"no JSON", boots + vmtest.Mark + "hello\n", nil, "hello"},
		{"init gives up", vmtest.Mark + `{"kind":"fatal","text":"no memory controller"}` + "\n", nil, "init gave up: no memory controller"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report, err := vmtest.Read(strings.NewReader(tt.console), plan, io.Discard)
			if tt.err != "" {
				assert.ErrorContains(t, err, tt.err)
			} else {
				assert.NoError(t, err)
			}
			assert.Equal(t, len(report.Failures), len(tt.failures), report.Failures...)
			for i, want := range tt.failures {
				assert.Contains(t, report.Failures[min(i, len(report.Failures)-1)], want)
			}
		})
	}
}

func TestReadBrokenConsole(t *testing.T) {
	t.Parallel()
	broken := errors.New("gone")
	_, err := vmtest.Read(io.MultiReader(strings.NewReader(boots), iotest.ErrReader(broken)), plan, io.Discard)
	assert.ErrorIs(t, err, broken)
}

func FuzzRead(f *testing.F) {
	f.Add(passing)
	f.Add(boots + starts("one") + ends("one", `{"exit":1}`))
	f.Add(vmtest.Mark + `{"kind":"end","result":null}`)
	f.Fuzz(func(t *testing.T, console string) {
		report, err := vmtest.Read(strings.NewReader(console), plan, io.Discard)
		if err == nil && len(report.Results) != len(plan.Jobs) {
			t.Errorf("no error, but %d results of %d jobs", len(report.Results), len(plan.Jobs))
		}
	})
}

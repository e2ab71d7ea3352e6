package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// complete asks bash what follows the words. The function that it defines stands
// for package bash-completion, which splits the line where it is installed.
const complete = `_get_comp_words_by_ref() {
  words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
}
compopt() { :; }
source <(grpcx completion bash)
complete -p grpcx >/dev/null || exit 1
COMP_LINE=@line@ COMP_POINT=${#COMP_LINE} COMP_TYPE=9
COMP_WORDS=(@words@) COMP_CWORD=$((${#COMP_WORDS[@]}-1))
__start_grpcx
printf '%s\n' "${COMPREPLY[@]}"`

// The script of "grpcx completion bash" works in bash.
func TestCompletionInBash(t *testing.T) {
	shell := newShell(t)
	for line, want := range map[string]string{
		"grpcx hea":               "health",
		"grpcx certs i":           "init-ca inspect issue",
		"grpcx health --tls-no":   "--tls-no-verify",
		"grpcx health a:1 -o ''":  "json tty",
		"grpcx help certs re":     "renew revoke",
		"grpcx health --tls-ca":   "", // a hidden alias
		"grpcx completion powers": "powershell",
	} {
		typed := "'" + strings.ReplaceAll(line, "''", "") + "'"
		script := strings.NewReplacer("@line@", typed, "@words@", line).Replace(complete)
		code, out, errs := shell.run(t, script)
		assert.Equal(t, code, 0, line, errs)
		assert.Equal(t, errs, "", line)
		got := strings.Fields(out)
		slices.Sort(got)
		assert.Equal(t, strings.Join(got, " "), want, line)
	}
}

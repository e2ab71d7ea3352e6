#!/usr/bin/env bash
# Runs tests on arm64: under qemu-user on other machines, directly where arm64
# is native. The race detector does not work under qemu-user; docs/arm64.md
# says what else this cannot show.
#
#   scripts/arm64.sh packages...            all of them on cortex-a53 with pages of 4 KiB
#   CHEAP=packages scripts/arm64.sh ...     and these, with -short, on the others
#   MATRIX=all scripts/arm64.sh ...         all of them on every combination
#
# MODELS and SIZES change the combinations, RUN is a pattern of test names, and
# SHORT=1 leaves the long tests out.
# All tests of a package are one run, and JOBS runs (the number of CPUs) go on at
# a time. The packages are those of the module of the working directory.
set -euo pipefail

export CGO_ENABLED=0 GOOS=linux GOARCH=arm64
MODELS=${MODELS:-cortex-a53 neoverse-n1 max}
SIZES=${SIZES:-4096 16384 65536}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
# Emulated cryptography is about a hundred times slower.
TIMEOUT=30m

if [ "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" = linux/arm64 ]; then
	exec go test -count=1 -timeout "$TIMEOUT" -run "${RUN-}" "$@"
fi
# A test that starts its own binary again has to do so through qemu, which
# gets the model and the page size from the environment as well.
GRPCX_EMULATOR=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || {
	echo "qemu-aarch64-static is missing: apt-get install qemu-user-static (Debian, Ubuntu), or run on linux/arm64" >&2
	exit 1
}
export GRPCX_EMULATOR

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0 # the self-check crashes a program on purpose

# check runs the probe under a model and a page size and compares what it
# sees, so that a matrix which tests the same thing nine times is found out.
check() {
	local lse=true want got
	case $1 in cortex-a53 | cortex-a57 | cortex-a72) lse=false ;; esac
	want="pages $2 lse $lse"
	got=$(QEMU_CPU=$1 QEMU_PAGESIZE=$2 "$GRPCX_EMULATOR" "$tmp/probe" 2>&1) || true
	[ "$got" = "$want" ] || {
		echo "under $GRPCX_EMULATOR with QEMU_CPU=$1 QEMU_PAGESIZE=$2 a program sees \"$got\", want \"$want\"" >&2
		exit 1
	}
}

# check_v81 shows that a build which needs ARMv8.1 dies (SIGILL) on a
# cortex-a53: passing there says that the default build needs none.
check_v81() {
	local status=0
	QEMU_CPU=max "$GRPCX_EMULATOR" "$tmp/probe-v8.1" >/dev/null
	{ QEMU_CPU=cortex-a53 "$GRPCX_EMULATOR" "$tmp/probe-v8.1"; } >/dev/null 2>&1 || status=$?
	[ $status = 132 ] || {
		echo "a GOARM64=v8.1 build ends with status $status on cortex-a53, want 132 (SIGILL)" >&2
		exit 1
	}
}

# run_one <model> <page size> <package> <directory> <binary> [flags]: one cell
# of the table.
run_one() {
	local log start status=ok
	log=$(mktemp "$tmp/log.XXXXXX")
	start=$EPOCHREALTIME
	cd "$4"
	QEMU_CPU=$1 QEMU_PAGESIZE=$2 "$GRPCX_EMULATOR" "$5" -test.timeout="$TIMEOUT" -test.run="${RUN-}" "${@:6}" >"$log" 2>&1 </dev/null || status=FAIL
	if [ $status = FAIL ]; then cat "$log"; fi
	awk -v s="$status" -v m="$1" -v p="$2" -v k="$3" -v a="$start" -v b="$EPOCHREALTIME" \
		'BEGIN { printf "%s\t%s\t%s\t%s\t%.1fs\n", s, m, p, k, b - a }' | tee -a "$tmp/results"
	[ $status = ok ]
}
export -f run_one
export tmp TIMEOUT RUN

(
	cd "$(dirname "$0")/.."
	go build -o "$tmp/probe" ./internal/vmtest/probe
	GOARM64=v8.1 go build -o "$tmp/probe-v8.1" ./internal/vmtest/probe
)
for model in $MODELS; do for size in $SIZES; do check "$model" "$size"; done; done
check_v81
echo "self-check: page sizes and LSE are as asked for, and GOARM64=v8.1 dies on cortex-a53"

# Every package that has tests, with its directory and its binary.
packages() {
	go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' "$@"
}
mkdir "$tmp/bin"
packages "$@" | awk -v bin="$tmp/bin" '{ n = split($1, part, "/"); print $1, $2, bin "/" part[n] ".test" }' >"$tmp/packages"
[ -s "$tmp/packages" ] || { echo "no package of $* has tests" >&2; exit 1; }
cut -d ' ' -f 1 "$tmp/packages" | xargs go test -c -o "$tmp/bin/"
# shellcheck disable=SC2086 # a list of packages
cheap=$([ -z "${CHEAP-}" ] || packages $CHEAP | cut -d ' ' -f 1)

first=1
for model in $MODELS; do
	for size in $SIZES; do
		while read -r pkg dir binary; do
			if [ -n "$first" ] || [ "${MATRIX-}" = all ]; then
				echo "$model $size $pkg $dir $binary${SHORT:+ -test.short}"
			elif grep -qxF "$pkg" <<<"$cheap"; then
				echo "$model $size $pkg $dir $binary -test.short"
			fi
		done <"$tmp/packages"
		first=
	done
done >"$tmp/runs"

status=0
xargs -P "$JOBS" -L 1 bash -c 'run_one "$@"' _ <"$tmp/runs" || status=1
echo
awk -F '\t' -v sizes="$SIZES" '
	{ row = $4 "\t" $2; if (!(row in seen)) { seen[row] = 1; rows[++n] = row }
	  cell[row, $3] = ($1 == "ok" ? "" : $1 " ") $5 }
	END {
		k = split(sizes, size, " ")
		printf "%-50s %-12s", "package", "model"; for (i = 1; i <= k; i++) printf " %11s", size[i]; print ""
		for (r = 1; r <= n; r++) {
			split(rows[r], f, "\t"); printf "%-50s %-12s", f[1], f[2]
			for (i = 1; i <= k; i++) printf " %11s", ((rows[r], size[i]) in cell) ? cell[rows[r], size[i]] : "-"
			print ""
		}
	}' <(sort -s -t $'\t' -k4,4 -k2,2 "$tmp/results")
want=$(wc -l <"$tmp/runs") got=$(grep -c ^ok "$tmp/results" || true)
echo "$got of $want runs passed"
[ "$got" = "$want" ] || status=1
exit $status

#!/usr/bin/env bash
# Takes a newcomer's first steps: on a fresh copy of the repository it types each
# pair of commands in the table of examples/README.md, as they stand there, sees
# an answer and stops the server with Ctrl-C. It needs the ports of the examples,
# curl, and the network for grpcurl.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.tmp/bin
tmp=$(mktemp -d)
group= # of the running command

# start CMD OUT runs a command in a process group of its own.
start() {
	setsid bash -c "$1" >"$2" 2>&1 &
	group=$!
}
fail() {
	echo "$1" >&2
	shift
	cat "$@" >&2
	exit 1
}
trap '[ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null || true; rm -rf "$tmp"' EXIT

# What a clone of the present state would hold.
clone=$tmp/clone
mkdir "$clone"
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf -) | tar -x -C "$clone"
[ -x "$bin/grpcurl" ] || GOBIN=$bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
export PATH=$bin:$PATH
cd "$clone"

# answered CMD WANT types a command until it has given an answer.
answered() {
	local deadline=$((SECONDS + 300)) server=$group
	: >"$tmp/answer"
	until grep -q "$2" "$tmp/answer"; do
		[ "$SECONDS" -lt "$deadline" ] || fail "no answer to: $1" "$tmp/answer" "$tmp/server"
		kill -0 "$server" 2>/dev/null || fail "the server ended early" "$tmp/server"
		start "$1" "$tmp/answer"
		while kill -0 "$group" 2>/dev/null && ! grep -q "$2" "$tmp/answer"; do sleep 0.2; done
		kill -KILL -- "-$group" 2>/dev/null || true
		wait "$group" 2>/dev/null || true
		sleep 0.2
	done
	group=$server
}

rows=0
while IFS='|' read -r _ name _ run try _; do
	name=${name#*\[} name=${name%%\]*}
	run=${run#*\`} run=${run%\`*}
	try=${try#*\`} try=${try%\`*}
	case $name in
	health-checks) want='readyz check passed' ;;
	prometheus) want='grpcx_health_ready 1' ;;
	testing) want='^ok' ;;
	*) want='Hello, Ada!' ;;
	esac
	echo "== $name: $run"
	start "$run" "$tmp/server"
	echo "   $try"
	answered "$try" "$want"
	kill -INT -- "-$group"
	wait "$group" || true # go run fails when it is interrupted, and says how the program ended
	! grep '^exit status' "$tmp/server" || fail "the server of $name failed" "$tmp/server"
	group=
	rows=$((rows + 1))
done < <(grep '^| \[' examples/README.md)
echo "$rows examples, each in two commands"

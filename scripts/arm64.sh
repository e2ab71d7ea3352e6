#!/usr/bin/env bash
# Runs the tests of the given packages on arm64: under qemu-user on other
# machines, directly where arm64 is native. QEMU_CPU=cortex-a53 chooses another
# CPU model. The race detector does not work there.
set -euo pipefail

export CGO_ENABLED=0 GOARCH=arm64
# Emulated cryptography is about a hundred times slower.
flags=(-count=1 -timeout 30m)

if [ "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" = linux/arm64 ]; then
	exec go test "${flags[@]}" "$@"
fi
for qemu in qemu-aarch64-static qemu-aarch64; do
	if command -v "$qemu" >/dev/null; then
		# A test that starts its own binary again has to do so through qemu.
		export GOOS=linux GRPCX_EMULATOR=$qemu
		exec go test "${flags[@]}" -exec "$qemu" "$@"
	fi
done
echo "qemu-aarch64-static is missing: apt-get install qemu-user-static (Debian, Ubuntu), or run on linux/arm64" >&2
exit 1

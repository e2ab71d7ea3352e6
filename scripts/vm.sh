#!/usr/bin/env bash
# Tests packages in a virtual machine with a real arm64 kernel: control groups
# v2, pages of 4 and of 16 KiB, and the race detector. docs/arm64.md says more.
#
#   scripts/vm.sh [flags of internal/vmtest/cmd/vmtest] packages...
#
# PAGES        kernels to test on: "4k", "16k" or "4k 16k" (the default)
# RACE         packages to test also with the race detector, comma-separated
# VM_KERNEL    a kernel of your own, as 4096=path; no other is used then
# VM_REFRESH   when not empty, looks for newer packages than those downloaded
#
# On Debian, qemu-system-aarch64, the kernels and the cross compiler are
# downloaded through apt as it is configured, into .tmp/vm; nothing is
# installed, and commands that are on the PATH are used instead.
set -euo pipefail

cd "$(dirname "$0")/.."
vm=$PWD/.tmp/vm
PAGES=${PAGES:-4k 16k}
RACE=${RACE-}

fail() {
	echo "scripts/vm.sh: $*" >&2
	exit 1
}

# private_apt runs a command of apt with lists and caches of its own, for the
# packages of both architectures.
private_apt() {
	local command=$1
	shift
	APT_CONFIG=$vm/apt/apt.conf "$command" -q "$@"
}

apt_ready=
apt_update() {
	[ -z "$apt_ready" ] || return 0
	command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
		fail "packages come from Debian's apt, which is not here; set VM_KERNEL=4096=<arm64 kernel> and put qemu-system-aarch64 (and aarch64-linux-gnu-gcc for RACE) on the PATH"
	mkdir -p "$vm"/apt/{state/lists,cache/archives}/partial "$vm/debs"
	cat >"$vm/apt/apt.conf" <<-CONF
		APT::Architectures { "$(dpkg --print-architecture)"; "arm64"; };
		Acquire::Languages "none";
		APT::Sandbox::User "";
		Dir::State "$vm/apt/state";
		Dir::State::status "/var/lib/dpkg/status";
		Dir::Cache "$vm/apt/cache";
	CONF
	echo "scripts/vm.sh: reading the package lists"
	private_apt apt-get update >"$vm/apt/log" 2>&1 || { cat "$vm/apt/log" >&2; fail "apt-get update failed"; }
	apt_ready=1
}

# unpack <name> [-o options of apt...] -- <packages> downloads packages and
# unpacks them into $vm/<name>, unless that was done before.
unpack() {
	local name=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	local dir=$vm/$name
	echo "scripts/vm.sh: downloading $name: $*" | cut -c -120
	rm -rf "$dir" "$dir.part" "$vm/debs/$name"
	mkdir -p "$dir.part" "$vm/debs/$name"
	(cd "$vm/debs/$name" && private_apt apt-get "${options[@]}" download "$@" >"$vm/apt/log" 2>&1) ||
		{ cat "$vm/apt/log" >&2; fail "apt-get download failed"; }
	local deb
	for deb in "$vm/debs/$name"/*.deb; do dpkg -x "$deb" "$dir.part"; done
	rm -r "$vm/debs/$name"
	mv "$dir.part" "$dir" # only now it counts as done
}

# missing <packages> prints those packages, of what these need, that this
# machine does not have.
missing() {
	private_apt apt-get install -s --no-install-recommends "$@" | awk '/^Inst / { print $2 }'
}

# newest <package> [-o options of apt...] prints the kernel that a
# meta-package stands for, and nothing where apt does not know it.
newest() {
	local package=$1
	shift
	{ private_apt apt-cache "$@" depends "$package:arm64" 2>/dev/null || true; } | awk '/Depends: linux-image-/ { print $2 }'
}

wrapper() { # <name> <root> <command> [arguments]: a command that runs from where it is unpacked
	local name=$1 root=$2
	shift 2
	local libs=("$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu)
	mkdir -p "$vm/bin"
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %s "$@"\n' \
		"$(IFS=: && echo "${libs[*]}")" "$(printf '%q ' "$@")" >"$vm/bin/$name"
	chmod +x "$vm/bin/$name"
}

kernel_4k() {
	apt_update
	local package
	package=$(newest linux-image-cloud-arm64)
	[ -n "$package" ] || fail "apt knows no linux-image-cloud-arm64: this is not Debian; set VM_KERNEL=4096=<arm64 kernel>"
	unpack kernel-4k -- "$package"
}

# Kernels with larger pages came after Debian 12, which has one among its
# backports. Their list is read beside the configured ones, from the same place.
kernel_16k() {
	apt_update
	local package options=()
	package=$(newest linux-image-arm64-16k)
	if [ -z "$package" ]; then
		local uri codename
		read -r uri codename < <(private_apt apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' \
			'Created-By: Packages' | awk '$3 == "Debian" && $4 == "main" && $2 !~ /-/ && !n++ { print $1, $2 }') ||
			fail "apt has no source of Debian's main component; set VM_KERNEL=16384=<arm64 kernel>"
		local keys=/usr/share/keyrings/debian-archive-keyring.gpg
		mkdir -p "$vm/apt/backports/state/lists/partial"
		echo "deb [arch=arm64 signed-by=$keys] $uri $codename-backports main" >"$vm/apt/backports/sources.list"
		options=(-o "Dir::Etc::sourcelist=$vm/apt/backports/sources.list" -o Dir::Etc::sourceparts=-
			-o "Dir::State=$vm/apt/backports/state" -o "Dir::Cache=$vm/apt/backports")
		private_apt apt-get "${options[@]}" update >"$vm/apt/log" 2>&1 || { cat "$vm/apt/log" >&2; fail "apt-get update failed"; }
		package=$(newest linux-image-arm64-16k "${options[@]}")
		[ -n "$package" ] || fail "apt knows no linux-image-arm64-16k; set VM_KERNEL=16384=<arm64 kernel>, or PAGES=4k"
	fi
	unpack kernel-16k "${options[@]}" -- "$package"
}

# One run at a time downloads; the rest may go on beside another.
mkdir -p "$vm"
if command -v flock >/dev/null; then
	exec 9>"$vm/lock"
	flock 9
fi
[ -z "${VM_REFRESH-}" ] || rm -rf "$vm"/{apt,qemu,gcc,kernel-*}

flags=()
if command -v qemu-system-aarch64 >/dev/null; then
	flags+=(-qemu qemu-system-aarch64)
else
	if [ ! -d "$vm/qemu" ]; then
		apt_update
		packages=$(missing qemu-system-arm)
		# shellcheck disable=SC2086 # a list
		unpack qemu -- $packages
	fi
	wrapper qemu-system-aarch64 "$vm/qemu" "$vm/qemu/usr/bin/qemu-system-aarch64" \
		-L "$vm/qemu/usr/share/qemu" -L "$vm/qemu/usr/lib/ipxe/qemu"
	flags+=(-qemu "$vm/bin/qemu-system-aarch64")
fi
if [ -n "$RACE" ]; then
	flags+=(-race "$RACE")
	if command -v aarch64-linux-gnu-gcc >/dev/null; then
		flags+=(-cc aarch64-linux-gnu-gcc)
	elif [ "$(uname -m)" = aarch64 ]; then
		flags+=(-cc gcc)
	else
		if [ ! -d "$vm/gcc" ]; then
			apt_update
			packages=$(missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
			# shellcheck disable=SC2086
			unpack gcc -- $packages
		fi
		wrapper aarch64-linux-gnu-gcc "$vm/gcc" "$vm/gcc/usr/bin/aarch64-linux-gnu-gcc"
		flags+=(-cc "$vm/bin/aarch64-linux-gnu-gcc")
	fi
fi
if [ -n "${VM_KERNEL-}" ]; then
	flags+=(-kernel "$VM_KERNEL")
else
	for pages in $PAGES; do
		case $pages in
		4k) size=4096 ;;
		16k) size=16384 ;;
		*) fail "PAGES=$PAGES: want 4k, 16k or both; Debian has no kernel with other pages" ;;
		esac
		[ -d "$vm/kernel-$pages" ] || "kernel_$pages"
		flags+=(-kernel "$size=$(echo "$vm/kernel-$pages"/boot/vmlinuz-*)")
	done
fi
exec 9>&-
exec go run ./internal/vmtest/cmd/vmtest "${flags[@]}" "$@"

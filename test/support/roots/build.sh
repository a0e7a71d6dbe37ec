#!/usr/bin/env bash
# Makes a root file system for tests of the runner, as an uncompressed tar that looks like an image's layer.
#
#   build.sh bullseye|bookworm|trixie|musl|static[-arm64] TAR
#
# Needs root, mmdebstrap and debian-archive-keyring (Debian roots), musl-tools (musl), busybox-static (static), gcc and Go; for arm64
# also gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, debian-archive-keyring and what the emulator needs.
set -euo pipefail
kind=${1%-arm64}
tar=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "$tar.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [ "$1" = "$kind" ]; then
  machine=$(uname -m) cc=gcc mmdebstrap=(mmdebstrap) include=apt,passwd,python3,imagemagick
  kernel_headers=(/usr/include/{linux,mtd,asm-generic} /usr/include/$machine-linux-gnu/asm)
else
  machine=aarch64 cc=aarch64-linux-gnu-gcc include=apt,passwd,python3
  mmdebstrap=(sh "$here/../emulator/emulate.sh" mmdebstrap --architectures=arm64 --skip=check/qemu)
  kernel_headers=(/usr/aarch64-linux-gnu/include/{linux,mtd,asm-generic,asm})
  export GOARCH=arm64
fi

# What the checks find in every root, in $work/root. Absolute links are what images are full of.
common_files() {
  mkdir -p "$work/root/opt/t" "$work/root/etc"
  ln -s /etc/os-release "$work/root/abslink"
  ln -s /opt/t "$work/root/optlink"
  printf '#!/bin/sh\necho shebang-ok $0 $*\n' >"$work/root/opt/t/s.sh"
  printf '#!/usr/bin/env python3\nimport sys\nprint("ok", sys.argv)\n' >"$work/root/opt/t/p.py"
  printf '#!/opt/t/s.sh with one argument\n' >"$work/root/opt/t/nested"
  printf '#!/nonexistent/interpreter\n' >"$work/root/opt/t/orphan"
  printf 'echo no-shebang-ok\n' >"$work/root/opt/t/plain"
  chmod 755 "$work/root/opt/t/"{s.sh,p.py,nested,orphan,plain}
  (cd "$here/go" && CGO_ENABLED=0 GOCACHE="$work/go-cache" GOFLAGS=-mod=mod GO111MODULE=off \
    go build -trimpath -o "$work/root/opt/t/gotest" main.go)
}

# compile_probe CC FLAGS...
compile_probe() {
  "$@" -std=gnu11 -O1 -Wall -Wextra -Werror -pthread -o "$work/root/opt/t/probe" "$here"/probe/*.c
}

os_release() {
  printf 'ID=%s\nPRETTY_NAME="a root for tests"\n' "$1" >"$work/root/etc/os-release"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$work/root/etc/passwd"
  printf 'root:x:0:\n' >"$work/root/etc/group"
  mkdir -p "$work/root/"{dev,proc,sys,root,usr/bin,var}
  mkdir -m 1777 "$work/root/tmp"
}

# Where this system's apt gets its release's main packages from, as lines of a sources.list without their type.
release_of_this_system() {
  local release
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) main' \
    "Release: $release" 'Component: main' 'Identifier: Packages' | sort -u
}

# apt_get ARG...: for packages of this system's release, of whatever architecture; what is installed here does not matter.
apt_get() {
  mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial"
  : >"$work/apt/status"
  # apt tells only of lists that it has.
  [ -n "$(release_of_this_system)" ] || apt-get -q update
  for type in deb deb-src; do release_of_this_system | sed "s#^#$type [signed-by=$keyring] #"; done >"$work/apt/sources.list"
  (cd "$work/apt" && apt-get -q -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State=$work/apt" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root \
    -o APT::Architecture="${GOARCH:-$(go env GOARCH)}" "$@")
}

# arm64_packages NAME...: their files in $work/packages; they are not installed.
arm64_packages() {
  apt_get download "$@"
  for package in "$work"/apt/*.deb; do dpkg-deb -x "$package" "$work/packages"; done
}

# applets NAME...: /bin/busybox under all its names.
applets() {
  for applet; do
    [ "$applet" = busybox ] || ln -s /bin/busybox "$work/root/bin/$applet"
  done
}

# Documentation and translations are left out.
debian() {
  common_files
  compile_probe "$cc" -static
  "${mmdebstrap[@]}" --mode=root --quiet --variant=essential --include="$include" --keyring="$keyring" \
    --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook="cp -a '$work/root/.' \"\$1\"" \
    --skip=output/dev --format=tar "$kind" "$tar.partial"
}

# BusyBox from Debian's source, linked with musl: a whole userland of dynamic programs.
musl() {
  local musl_cc=musl-gcc libc=/usr/lib/$machine-linux-musl/libc.so
  apt_get update
  if [ "$cc" != gcc ]; then
    arm64_packages musl musl-dev
    # Debian's musl-gcc is a compiler for glibc with these specs.
    sed "s#/usr/\(include\|lib\)/#$work/packages&#g" "$work/packages/usr/lib/$machine-linux-musl/musl-gcc.specs" >"$work/musl.specs"
    musl_cc="$cc -specs=$work/musl.specs -mno-outline-atomics"
    libc=$work/packages/lib/$machine-linux-musl/libc.so
  fi
  common_files
  os_release musl
  compile_probe $musl_cc
  apt_get --download-only source busybox
  tar -C "$work" -xjf "$work"/apt/busybox_*.orig.tar.bz2
  # Musl's compiler does not look for the kernel's.
  mkdir "$work/headers"
  ln -s "${kernel_headers[@]}" "$work/headers"
  (
    cd "$work"/busybox-*/
    make allnoconfig
    while read -r symbol; do
      sed -i "s/^# CONFIG_$symbol is not set\$/CONFIG_$symbol=y/" .config
    done < <(grep -v '^#' "$here/busybox.config")
    yes '' | make oldconfig || true
    make -j"$(nproc)" CROSS_COMPILE="$machine-linux-gnu-" CC="$musl_cc" EXTRA_CFLAGS="-idirafter $work/headers" \
      busybox busybox.links
  ) >"$work/make.log" 2>&1 || { tail -20 "$work/make.log" >&2; exit 1; }
  mkdir -p "$work/root/bin" "$work/root/lib"
  cp "$work"/busybox-*/busybox "$work/root/bin/"
  cp "$libc" "$work/root/lib/ld-musl-$machine.so.1"
  applets $(sed 's#.*/##' "$work"/busybox-*/busybox.links)
  tar -C "$work/root" --numeric-owner --owner=0 --group=0 -cf "$tar.partial" .
}

# Static programs only: BusyBox and what is compiled here. There is not one library.
static() {
  local busybox
  busybox=$(command -v busybox)
  if [ "$cc" != gcc ]; then
    apt_get update
    arm64_packages busybox-static
    busybox=$work/packages/bin/busybox
  fi
  common_files
  os_release static
  compile_probe "$cc" -static
  mkdir "$work/root/bin"
  cp "$busybox" "$work/root/bin/"
  applets $(busybox --list)
  tar -C "$work/root" --numeric-owner --owner=0 --group=0 -cf "$tar.partial" .
}

case $kind in
  bullseye | bookworm | trixie) debian ;;
  musl) musl ;;
  static) static ;;
  *) echo "build.sh: no such root: $kind" >&2; exit 2 ;;
esac
mv "$tar.partial" "$tar"

#!/usr/bin/env bash
# Makes a root file system for tests of the runner, as an uncompressed tar that looks like an image's layer.
#
#   build.sh bullseye|bookworm|trixie|musl|static TAR
#
# Needs root, mmdebstrap and debian-archive-keyring (Debian roots), musl-tools (musl), busybox-static (static), gcc and Go.
set -euo pipefail
kind=$1
tar=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "$tar.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mirror=http://deb.debian.org/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

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

# Documentation and translations are left out.
debian() {
  common_files
  compile_probe gcc -static
  mmdebstrap --mode=root --quiet --variant=essential --include=apt,passwd,python3,imagemagick --keyring="$keyring" \
    --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook="cp -a '$work/root/.' \"\$1\"" \
    --skip=output/dev --format=tar "$kind" "$tar.partial" "deb $mirror $kind main"
}

# BusyBox from Debian's source, linked with musl: a whole userland of dynamic programs.
musl() {
  common_files
  os_release musl
  compile_probe musl-gcc
  local apt=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/headers"
  echo "deb-src [signed-by=$keyring] $mirror bookworm main" >"$work/sources.list"
  apt-get "${apt[@]}" update
  (cd "$work" && apt-get "${apt[@]}" --download-only source busybox && tar -xjf busybox_*.orig.tar.bz2)
  # The kernel's headers, which musl-gcc does not look for.
  for name in linux mtd asm-generic; do ln -s "/usr/include/$name" "$work/headers/$name"; done
  ln -s "/usr/include/$(gcc -print-multiarch)/asm" "$work/headers/asm"
  (
    cd "$work"/busybox-*/
    make allnoconfig
    while read -r symbol; do
      sed -i "s/^# CONFIG_$symbol is not set\$/CONFIG_$symbol=y/" .config
    done < <(grep -v '^#' "$here/busybox.config")
    yes '' | make oldconfig || true
    make -j"$(nproc)" CC=musl-gcc EXTRA_CFLAGS="-idirafter $work/headers" busybox
  ) >"$work/make.log" 2>&1 || { tail -20 "$work/make.log" >&2; exit 1; }
  mkdir -p "$work/root/bin" "$work/root/lib"
  cp "$work"/busybox-*/busybox "$work/root/bin/"
  cp "/usr/lib/$(gcc -print-multiarch | sed s/gnu/musl/)/libc.so" "$work/root/lib/ld-musl-x86_64.so.1"
  for applet in $("$work"/busybox-*/busybox --list); do
    [ "$applet" = busybox ] || ln -s /bin/busybox "$work/root/bin/$applet"
  done
  tar -C "$work/root" --numeric-owner --owner=0 --group=0 -cf "$tar.partial" .
}

# Static programs only: BusyBox and what is compiled here. There is not one library.
static() {
  common_files
  os_release static
  compile_probe gcc -static
  mkdir "$work/root/bin"
  cp "$(command -v busybox)" "$work/root/bin/"
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s /bin/busybox "$work/root/bin/$applet"
  done
  tar -C "$work/root" --numeric-owner --owner=0 --group=0 -cf "$tar.partial" .
}

case $kind in
  bullseye | bookworm | trixie) debian ;;
  musl) musl ;;
  static) static ;;
  *) echo "build.sh: no such root: $kind" >&2; exit 2 ;;
esac
mv "$tar.partial" "$tar"

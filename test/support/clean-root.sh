#!/usr/bin/env bash
# Runs commands in a fresh clone of this repository's HEAD, in a Debian 12 root that has only Node, npm and git: the proof
# that the commands of the README need nothing else. Needs root, mmdebstrap, and Node 20 from nodesource's package.
#
#   test/support/clean-root.sh                        npm run quickstart, again, npm test
#   test/support/clean-root.sh 'npm run quickstart'   these commands in turn
#
# The root is kept in CLEAN_ROOT if that is set, and used again; otherwise it is a temporary folder, removed in the end.
set -euo pipefail

if [ "${1-}" = --inside ]; then
  # In namespaces of our own, so that mounts and processes end with us. pivot_root and not chroot: from within a chroot
  # the kernel refuses user namespaces, which a real machine allows.
  root=$2
  shift 2
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
  done
  mkdir "$root/dev/shm" "$root/dev/pts" "$root/.old"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  for number in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"
  done
  cd "$root"
  pivot_root . .old
  cd /root/scar-client
  umount -l /.old
  rmdir /.old
  for command in "$@"; do
    printf '\n##### %s\n' "$command"
    SECONDS=0
    status=0
    bash -c "$command" </dev/null || status=$?
    printf '##### %s: exit code %d, %d s\n' "$command" "$status" "$SECONDS"
    [ "$status" -eq 0 ] || exit "$status"
  done
  exit 0
fi

repository=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- 'npm run quickstart' 'npm run quickstart' 'npm test'
[ "$(id -u)" -eq 0 ] || { echo 'clean-root.sh needs root' >&2; exit 1; }

if [ -n "${CLEAN_ROOT-}" ]; then
  root=$CLEAN_ROOT
else
  root=$(mktemp -d "${TMPDIR:-/tmp}/clean-root.XXXXXX")
  trap 'rm -rf --one-file-system "$root"' EXIT
fi

if [ ! -x "$root/usr/bin/node" ]; then
  echo "clean root in $root"
  mkdir -p "$root"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,libatomic1,libstdc++6 --skip=output/dev bookworm "$root"
  # This machine's Node and npm, and the configuration by which it reaches the registries.
  tar -C / -cf - usr/bin/node usr/bin/npm usr/bin/npx usr/lib/node_modules/npm | tar -C "$root" -xf -
  for file in /etc/resolv.conf /etc/hosts /etc/apt/sources.list.d/debian.sources /etc/apt/apt.conf.d/99artifact-registry \
    /etc/ssl/certs/ca-certificates.crt /root/.npmrc /usr/etc/npmrc; do
    if [ -e "$file" ]; then
      mkdir -p "$root$(dirname "$file")"
      cp -L "$file" "$root$file"
    fi
  done
  # mmdebstrap's own list would name every source twice.
  if [ -e "$root/etc/apt/sources.list.d/debian.sources" ]; then rm -f "$root/etc/apt/sources.list"; fi
  rm -rf "$root"/var/lib/apt/lists/*
fi

rm -rf --one-file-system "$root/root/scar-client"
git clone --quiet "file://$repository" "$root/root/scar-client"
cp "$0" "$root/root/clean-root.sh"

mapfile -t certificates < <(env | grep -E '^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|[a-z]+_proxy)=' || true)
env -i HOME=/root USER=root TERM=dumb LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${certificates[@]}" \
  unshare --mount --pid --fork --kill-child bash "$root/root/clean-root.sh" --inside "$root" "$@"

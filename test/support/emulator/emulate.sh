# emulate.sh PROGRAM [ARG...]: runs a program on a machine that seems to execute programs for arm64 too. Needs root.
#
# QEMU executes them, through a binfmt_misc that belongs to a user namespace of this process's own (since Linux 6.7): nothing changes for
# the rest of the machine. Users and groups are the same inside and outside.
set -eu
if [ "${1-}" != --in-namespace ]; then
  outside=$(readlink /proc/self/ns/user)
  # They can be mapped only from outside, once the process below is inside.
  {
    while now=$(readlink "/proc/$$/ns/user") && [ "$now" = "$outside" ]; do sleep 0.01; done
    echo 0 0 65536 >"/proc/$$/uid_map"
    echo 0 0 65536 >"/proc/$$/gid_map"
  } 2>/dev/null &
  exec unshare --user --mount --pid --fork --kill-child --mount-proc sh "$0" --in-namespace "$@"
fi
shift
while [ "$(id -u):$(id -g)" != 0:0 ]; do sleep 0.01; done
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
# Documentation/admin-guide/binfmt-misc.rst. An ELF header of 64 bits, little-endian, a program or a library, of machine 183.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":arm64:M::$magic:$mask:$(command -v qemu-aarch64-static):FP" >/proc/sys/fs/binfmt_misc/register
ulimit -c 0 # QEMU would write the guest's core and its own
exec "$@"

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerSources } from './compile.js';

/** The rows of the runner's table of system calls, in all its parts. */
export const tableRows = ['syscalls.def', 'arch/x86_64/syscalls_arch.def', 'arch/aarch64/syscalls_arch.def'].flatMap(
  (part) => {
    const text = readFileSync(join(runnerSources, part), 'utf8');
    return [...text.matchAll(/^CALL\((\w+),\s*(\w+)/gm)].map(([, name = '', handler = '']) => ({ name, handler }));
  },
);

/** Numbers by name, of the kernel's own header for the compiler's machine. */
export function kernelNumbers(compiler = 'gcc'): Map<string, number> {
  const header = execFileSync(compiler, ['-E', '-dM', '-include', 'asm/unistd.h', '-x', 'c', '/dev/null'], {
    encoding: 'utf8',
  });
  // A few are defined by others: `#define __NR_mmap __NR3264_mmap`.
  const defined = new Map(
    [...header.matchAll(/^#define (__NR\w+) (\w+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  return new Map(
    [...defined].flatMap(([name, value]) => {
      const number = Number(defined.get(value) ?? value);
      return name.startsWith('__NR_') && number >= 0 ? [[name.slice('__NR_'.length), number] as const] : [];
    }),
  );
}

/**
 * The kernel's other calls: none of them takes a path of the file system, or tells one, but for the names of senders that accept, recvfrom and
 * recvmsg give (docs/runner.md), and for what Lambda allows nobody (bpf, lookup_dcookie, open_by_handle_at, ...). Each was looked up.
 */
export const callsWithoutPaths: ReadonlySet<string> = new Set(
  `
  _sysctl accept accept4 add_key adjtimex afs_syscall alarm arch_prctl bpf brk clock_adjtime clock_getres
  clock_gettime clock_nanosleep clock_settime close close_range copy_file_range create_module delete_module dup dup2
  dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old eventfd eventfd2 exit exit_group
  fadvise64 fallocate fanotify_init fchdir fcntl fdatasync fgetxattr finit_module flistxattr flock fsmount fsopen
  fstatfs fsync ftruncate futex futex_waitv get_kernel_syms get_mempolicy get_robust_list get_thread_area getcpu
  getdents getdents64 getitimer getpgid getpgrp getpid getpmsg getppid getpriority getrandom getrlimit getrusage
  getsid gettid gettimeofday init_module inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
  io_getevents io_setup io_submit io_uring_enter io_uring_register ioctl ioperm iopl ioprio_get ioprio_set kcmp
  kexec_file_load kexec_load keyctl kill landlock_add_rule landlock_create_ruleset landlock_restrict_self listen
  lookup_dcookie lseek madvise mbind membarrier memfd_create memfd_secret migrate_pages mincore mlock mlock2
  mlockall modify_ldt move_pages mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
  mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep nfsservctl open_by_handle_at pause
  perf_event_open personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect
  poll pread64 preadv preadv2 prlimit64 process_madvise process_mrelease process_vm_readv process_vm_writev ptrace
  putpmsg pwrite64 pwritev pwritev2 query_module quotactl_fd read readahead readv reboot recvfrom recvmmsg recvmsg
  remap_file_pages request_key restart_syscall rseq rt_sigpending rt_sigqueueinfo rt_sigreturn rt_sigtimedwait
  rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
  sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
  sched_yield seccomp security select semctl semget semop semtimedop sendfile set_mempolicy set_mempolicy_home_node
  set_robust_list set_thread_area set_tid_address setdomainname sethostname setitimer setns setpgid setpriority
  setrlimit setsid setsockopt settimeofday shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socket
  socketpair splice sync sync_file_range syncfs sysfs sysinfo syslog tee tgkill time timer_create timer_delete
  timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill tuxcall
  umask uname unshare userfaultfd ustat vhangup vmsplice vserver wait4 waitid write writev
  `
    .trim()
    .split(/\s+/),
);

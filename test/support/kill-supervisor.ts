/**
 * For a shell in a container: ends its supervisor, as Lambda does when the memory of the environment is used up. That is the parent of
 * the launcher, whose child the container is (proc_pid_stat(5): the fourth field).
 */
export const KILL_SUPERVISOR = 'read -r _ _ _ supervisor _ < /proc/$PPID/stat; kill -9 $supervisor';

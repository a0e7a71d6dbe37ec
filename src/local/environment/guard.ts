import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends what an engine leaves behind when it is killed without a word.
 *
 * A stopped process cannot notice by itself that its engine is gone, so somebody else must: a shell that reads from a
 * pipe which only the engine holds open. At its end it kills the process groups that are still registered, their
 * sessions, and whoever else is at work in the engine's folder, and removes the folder.
 */
export class Guard {
  readonly #shell: ChildProcess;

  /**
   * @param folder - the folder under which every environment of this engine lies
   * @param temporary - one that was made for this engine alone; removed too, unless {@link close} comes first
   */
  constructor(folder: string, temporary?: string) {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'guard', folder, temporary ?? folder], {
      // A session of its own: Ctrl-C at the engine's terminal must not end the guard first.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    this.#shell.on('error', () => {});
    this.#shell.stdin?.on('error', () => {});
    this.#shell.unref();
    (this.#shell.stdin as { unref?(): void } | null)?.unref?.();
  }

  /** From now on this process group dies with the engine. */
  add(leader: number): void {
    this.#shell.stdin?.write(`+ ${leader}\n`);
  }

  /** The group has ended; its number may soon be somebody else's. */
  remove(leader: number): void {
    this.#shell.stdin?.write(`- ${leader}\n`);
  }

  /** Lets the guard go; it has nothing to do when every group was removed. */
  async close(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null || this.#shell.pid === undefined) return;
    const ended = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.ref();
    this.#shell.stdin?.end('.\n');
    await ended;
  }
}

/**
 * POSIX shell, built-ins only, but for grep, ls and rm at the very end: it must run wherever the engine does. A process is
 * at work in the folder if its variables name it, or it runs a program from there or stands there: a function may give
 * its children other variables and a session of their own.
 */
const SCRIPT = `
groups=' ' killed=yes
while read -r verb id; do
  case $verb in
    +) groups="$groups$id " ;;
    -) case $groups in *" $id "*) groups="\${groups%% $id *} \${groups#* $id }" ;; esac ;;
    .) killed= ;;
  esac
done
sessions() {
  for process in /proc/[0-9]*; do
    line=
    read -r line < "$process/stat"
    set -f; set -- \${line##*) }; set +f
    case $groups in *" $4 "*) [ "$1" = Z ] || echo "$process/" ;; esac
  done
}
strays() {
  [ "$groups" = ' ' ] || sessions
  grep -lsF -- "$1/" /proc/[0-9]*/environ
  ls -l /proc/[0-9]*/exe /proc/[0-9]*/cwd | grep -F -- "-> $1/"
}
for group in $groups; do kill -9 -- "-$group"; done
for pass in 1 2 3 4 5; do
  found=$(strays "$1" | while read -r line; do id=\${line#*/proc/}; echo "\${id%%/*}"; done)
  [ -n "$found" ] || break
  kill -9 $found
done
rm -rf -- "$1"
[ -z "$killed" ] || rm -rf -- "$2"
`;

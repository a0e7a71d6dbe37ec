import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends what an engine leaves behind when it is killed without a word.
 *
 * A stopped process cannot notice by itself that its engine is gone, so somebody else must: a shell that reads from a
 * pipe which only the engine holds open. At its end it kills the process groups that are still registered, their
 * sessions, and whoever else has the engine's folder in its environment (and no terminal), and removes the folder.
 */
export class Guard {
  readonly #shell: ChildProcess;

  /** @param folder - the folder under which every environment of this engine lies */
  constructor(folder: string) {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'guard', folder], {
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
    this.#shell.stdin?.end();
    await ended;
  }
}

/** POSIX shell, built-ins only, but for grep and rm at the very end: it must run wherever the engine does. */
const SCRIPT = `
groups=' '
while read -r verb id; do
  case $verb in
    +) groups="$groups$id " ;;
    -) case $groups in *" $id "*) groups="\${groups%% $id *} \${groups#* $id }" ;; esac ;;
  esac
done
[ "$groups" = ' ' ] || for group in $groups; do kill -9 -- "-$group"; done
for process in /proc/[0-9]*; do
  id=\${process#/proc/}
  [ "$id" = $$ ] && continue
  line=
  read -r line < "$process/stat"
  set -f; set -- "$1" \${line##*) }; set +f
  case $groups in *" $5 "*) kill -9 "$id"; continue ;; esac
  # With a terminal, it is somebody who looks around there.
  [ "$6" = 0 ] || continue
  if grep -qsF -- "$1/" "$process/environ"; then kill -9 "$id"; fi
done
rm -rf -- "$1"
`;

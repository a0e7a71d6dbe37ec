import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import type { Engine } from '../../src/local/index.js';

const root = resolve(import.meta.dirname, '../..');

/** `scar-local` of these sources, as a process of its own: something that can be killed. */
export class EngineProcess {
  private constructor(
    readonly process: ChildProcess,
    readonly engine: Omit<Engine, 'close'>,
  ) {}

  /** @param folder - where the program is built */
  static async start(folder: string, args: readonly string[]): Promise<EngineProcess> {
    const outfile = join(folder, 'scar-local.mjs');
    await Promise.all(
      [
        ['src/local/bin.ts', outfile],
        ['src/local/node-runtime.ts', join(folder, 'node-runtime.js')],
      ].map(([entry = '', out = '']) =>
        build({
          entryPoints: [join(root, entry)],
          outfile: out,
          bundle: true,
          platform: 'node',
          target: 'node20',
          format: 'esm',
          logLevel: 'error',
          banner: {
            js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);",
          },
        }),
      ),
    );
    const child = spawn(process.execPath, [outfile, '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface(child.stdout), 'line');
    return new EngineProcess(child, JSON.parse(String(line)));
  }

  /** Ends it by a signal and waits for that. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const exit = once(this.process, 'exit');
    this.process.kill(signal);
    await exit;
  }
}

import { format } from 'node:util';

const LEVELS = { log: 'INFO', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', warn: 'WARN', error: 'ERROR' } as const;

/**
 * Makes `console` write as in Lambda's Node.js runtimes: time, request ID, level and text, separated by tabs. Line feeds
 * inside become carriage returns, so that one call is one log event.
 */
export function patchConsole(requestId: () => string | undefined): void {
  for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, string][]) {
    console[method] = (...values: unknown[]) => {
      const text = format(...values).replaceAll('\n', '\r');
      process.stdout.write(`${new Date().toISOString()}\t${requestId()}\t${level}\t${text}\n`);
    };
  }
}

/**
 * Makes writes to standard output and error wait until the engine has them: what a function writes is in its log before
 * its answer is, and nothing is lost when it exits. Node.js does so by itself only as long as the pipe has room.
 */
export function blockOnOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    (stream as unknown as { _handle?: { setBlocking?(on: boolean): void } })._handle?.setBlocking?.(true);
  }
}

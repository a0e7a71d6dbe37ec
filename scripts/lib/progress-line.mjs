import { duration } from './command.mjs';

/**
 * One line that tells how a long step is doing: rewritten in place on a terminal, printed once where there is none.
 *
 * @param {string} label
 */
export function progressLine(label) {
  const terminal = process.stderr.isTTY === true;
  const short = label.length > 100 ? `${label.slice(0, 97)}...` : label;
  const started = performance.now();
  const rewrite = (text) => process.stderr.write(`\r\x1b[K${short} ... ${text}`);
  if (terminal) rewrite('');
  else process.stderr.write(`${label} ...`);
  const end = (text) => process.stderr.write(terminal ? `\r\x1b[K${short}: ${text}\n` : ` ${text}\n`);
  return {
    /** What it is doing now; shown on a terminal only. @param {string} text */
    update(text) {
      if (terminal) rewrite(text.slice(0, Math.max(0, (process.stderr.columns ?? 80) - short.length - 6)));
    },
    done: () => end(duration(performance.now() - started)),
    failed: () => end('failed'),
  };
}

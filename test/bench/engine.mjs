// From the start of `scar-local` to its line of JSON, which says that it answers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { figure, median, printTable, quantile } from './lib/figures.mjs';

const runs = 20;
const targetMs = 150;
const program = fileURLToPath(new URL('../../dist/scar-local.js', import.meta.url));

async function readyMs() {
  const data = await mkdtemp(join(tmpdir(), 'scar-bench-'));
  const started = performance.now();
  const engine = spawn(process.execPath, [program, '--port', '0', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(engine, 'close');
  const [line] = await once(engine.stdout, 'data');
  const ms = performance.now() - started;
  const { endpoint } = JSON.parse(String(line));
  await fetch(endpoint);
  engine.kill('SIGTERM');
  await closed;
  await rm(data, { recursive: true, force: true });
  return ms;
}

const values = [];
for (let run = 0; run < runs; run += 1) values.push(await readyMs());
printTable([
  ['scar-local', 'median ms', 'p95 ms', 'target ms'],
  ['start to ready', figure(median(values)), figure(quantile(values, 0.95)), targetMs],
]);
console.log(
  JSON.stringify({ runs, medianMs: figure(median(values)), p95Ms: figure(quantile(values, 0.95)), targetMs }),
);

// From `invoke` to its result, for `true` in a Debian container whose execution environment is warm, on the embedded engine.
import { ScarClient } from 'scar-client';
import { figure, median, printTable, quantile } from './lib/figures.mjs';
import { image } from './lib/image.mjs';

const runs = 300;
const targetMs = 15;

const scar = await ScarClient.local();
try {
  await scar.createFunction({
    name: 'bench-warm',
    image: await image(),
    args: ['true'],
    memoryMiB: 512,
    timeoutSeconds: 60,
  });
  for (let run = 0; run < 10; run += 1) await scar.invoke('bench-warm');
  const values = [];
  const inContainer = [];
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    const result = await scar.invoke('bench-warm');
    values.push(performance.now() - started);
    if (result.status !== 'succeeded') throw new Error(`invocation ${run}: ${result.error.message}`);
    inContainer.push(result.timings.containerMs);
  }
  await scar.deleteFunction('bench-warm');
  printTable([
    ['true in a container', 'median ms', 'p95 ms', 'target ms'],
    ['invoke to result', figure(median(values)), figure(quantile(values, 0.95)), targetMs],
    ['of it, the container', figure(median(inContainer)), figure(quantile(inContainer, 0.95)), ''],
  ]);
  const result = { runs, medianMs: figure(median(values)), p95Ms: figure(quantile(values, 0.95)) };
  console.log(JSON.stringify({ ...result, containerMedianMs: figure(median(inContainer)), targetMs }));
} finally {
  await scar.close();
}

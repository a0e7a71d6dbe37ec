// What a map holds on to: memory after 10,000 objects and after 1,000,000, with results consumed and no journal. S3's pages go through the SDK's
// client, whose requests are answered within the process; invocations are answered before they become requests (lib/instant-aws.mjs).
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ScarClient } from 'scar-client';
import { printTable } from './lib/figures.mjs';
import { InstantLambda, instantHandler } from './lib/instant-aws.mjs';

const objects = Number(process.env.SCAR_BENCH_OBJECTS ?? 1_000_000);
const first = 10_000;
const concurrency = 256;
const targetMB = 60;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** In MB, of 10^6 bytes, of what is in use. */
function memory() {
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssMB: Math.round(rss / 1e6), heapMB: Math.round(heapUsed / 1e6) };
}

const common = { region: 'eu-west-1', credentials: { accessKeyId: 'id', secretAccessKey: 'secret' } };
const lambda = new InstantLambda(common);
const scar = new ScarClient({
  ...common,
  endpoint: 'http://127.0.0.1',
  clients: { lambda, s3: { requestHandler: instantHandler } },
});
const started = performance.now();
let after = { rssMB: 0, heapMB: 0 };
let done = 0;
for await (const item of scar.mapOverBucket('bench', { bucket: `objects-${objects}`, concurrency })) {
  if (item.status !== 'succeeded') throw new Error(`${item.key}: ${item.error.message}`);
  done += 1;
  if (done === first) after = memory();
}
if (done !== objects) throw new Error(`${done} of ${objects} objects had a result`);
const end = memory();
const seconds = Math.round((performance.now() - started) / 1_000);
await scar.close();
lambda.destroy();
const growthMB = { rss: end.rssMB - after.rssMB, heap: end.heapMB - after.heapMB };
printTable([
  [`${concurrency} at once, ${seconds} s`, `MB after ${first}`, `after ${objects}`, 'growth', 'target'],
  ['resident', after.rssMB, end.rssMB, growthMB.rss, targetMB],
  ['heap', after.heapMB, end.heapMB, growthMB.heap, targetMB],
]);
console.log(JSON.stringify({ objects, concurrency, seconds, after, end, growthMB, targetMB }));

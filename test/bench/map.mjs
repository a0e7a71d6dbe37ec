// 1,000 no-op containers: `true` for every object of a bucket through mapOverBucket, on the embedded engine, an object per invocation and 50; beside
// it, as root, `xargs -P` with chroot, which neither stages nor logs anything, and Lithops' localhost backend with a function in Python that runs
// chroot: by default it starts an interpreter for each call, and so has fewer to do. They take turns, each with what it is best at here: the peers
// with a process for each processor, the map with the engine's default, as its invocations wait for one another's messages.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ScarClient } from 'scar-client';
import { figure, median, printTable } from './lib/figures.mjs';
import { image, layerFile } from './lib/image.mjs';
import { hasLithops, lithopsSeconds } from './lib/lithops.mjs';

const objects = 1_000;
const lithopsTasks = 100;
const batch = { items: 50 };
const rounds = Number(process.env.SCAR_BENCH_RUNS ?? 3);
const targets = { seconds: 25, ofChroot: 0.7, ofLithops: 20 };
const processes = availableParallelism();
const concurrency = Math.max(4, 2 * processes);
const name = 'bench-map';

/** @param {ScarClient} scar */
async function prepare(scar) {
  await scar.s3.send(new CreateBucketCommand({ Bucket: 'bench' }));
  for (let number = 0; number < objects; number += 1) {
    await scar.s3.send(new PutObjectCommand({ Bucket: 'bench', Key: `input/${number}`, Body: `${number}` }));
  }
  await scar.createFunction({ name, image: await image(), args: ['true'], memoryMiB: 512, timeoutSeconds: 60 });
  await scar.preheat(name, { environments: concurrency });
}

/** @param {ScarClient} scar @param {Pick<import('scar-client').MapOverBucketOptions, 'batch'>} options */
async function mapRate(scar, options = {}) {
  const started = performance.now();
  let succeeded = 0;
  for await (const item of scar.mapOverBucket(name, { bucket: 'bench', prefix: 'input/', concurrency, ...options })) {
    if (item.status === 'succeeded') succeeded += 1;
  }
  if (succeeded !== objects) throw new Error(`${succeeded} of ${objects} containers succeeded`);
  return objects / ((performance.now() - started) / 1_000);
}

/** @param {string} root */
function chrootRate(root) {
  const started = performance.now();
  execFileSync('sh', ['-c', `seq ${objects} | xargs -P ${processes} -I{} chroot "$0" true {}`, root]);
  return objects / ((performance.now() - started) / 1_000);
}

/** Runs a second, round by round; those of the peers are empty where they cannot run. */
async function measure() {
  const isRoot = process.getuid?.() === 0;
  const withLithops = isRoot && hasLithops();
  const root = mkdtempSync(join(tmpdir(), 'scar-bench-'));
  const scar = await ScarClient.local();
  const rates = { map: [], batches: [], chroot: [], lithops: [] };
  try {
    if (isRoot) execFileSync('tar', ['-xzf', await layerFile(), '-C', root]);
    await prepare(scar);
    for (let round = 0; round < rounds; round += 1) {
      rates.map.push(await mapRate(scar));
      rates.batches.push(await mapRate(scar, { batch }));
      if (isRoot) rates.chroot.push(chrootRate(root));
      if (withLithops) rates.lithops.push(lithopsTasks / lithopsSeconds(root, lithopsTasks, processes));
    }
    await scar.deleteFunction(name);
    return rates;
  } finally {
    await scar.close();
    rmSync(root, { recursive: true, force: true });
  }
}

const rates = await measure();
/** The map's rate in proportion to a peer's, of the same round. @param {number[]} peer @param {number[]} [map] */
const ratio = (peer, map = rates.map) =>
  peer.length === 0 ? undefined : figure(median(peer.map((rate, at) => map[at] / rate)));
const seconds = figure(objects / median(rates.map));
const ofChroot = ratio(rates.chroot);
const batchesOfChroot = ratio(rates.chroot, rates.batches);
const ofLithops = ratio(rates.lithops);
printTable([
  [`no-op containers, median of ${rounds}`, 'a second', 'the map, of it', 'in batches', 'target'],
  [
    `mapOverBucket, ${objects} in ${seconds} s, ${concurrency} at once`,
    figure(median(rates.map)),
    '',
    '',
    `${targets.seconds} s`,
  ],
  [`in batches of ${batch.items}`, figure(median(rates.batches)), '', '', ''],
  ...(ofChroot
    ? [[`xargs -P ${processes}, chroot`, figure(median(rates.chroot)), ofChroot, batchesOfChroot, targets.ofChroot]]
    : []),
  ...(ofLithops
    ? [
        [
          `Lithops, localhost, ${processes} workers, chroot`,
          figure(median(rates.lithops)),
          ofLithops,
          ratio(rates.lithops, rates.batches),
          targets.ofLithops,
        ],
      ]
    : []),
]);
console.log(
  JSON.stringify({ objects, concurrency, processes, rounds, seconds, ofChroot, batchesOfChroot, ofLithops, targets }),
);

// 1,000 no-op containers: `true` for every object of a bucket through mapOverBucket, on the embedded engine; beside it, as
// root, `xargs -P` with chroot, which neither stages nor logs anything.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ScarClient } from 'scar-client';
import { figure, printTable } from './lib/figures.mjs';
import { image, layerFile } from './lib/image.mjs';

const objects = 1_000;
const targetSeconds = 25;
const concurrency = availableParallelism();

async function mapSeconds() {
  const scar = await ScarClient.local();
  try {
    await scar.s3.send(new CreateBucketCommand({ Bucket: 'bench' }));
    for (let number = 0; number < objects; number += 1) {
      await scar.s3.send(new PutObjectCommand({ Bucket: 'bench', Key: `input/${number}`, Body: `${number}` }));
    }
    await scar.createFunction({
      name: 'bench-map',
      image: await image(),
      args: ['true'],
      memoryMiB: 512,
      timeoutSeconds: 60,
    });
    await scar.preheat('bench-map', { environments: concurrency });
    const started = performance.now();
    let succeeded = 0;
    for await (const item of scar.mapOverBucket('bench-map', { bucket: 'bench', prefix: 'input/', concurrency })) {
      if (item.status === 'succeeded') succeeded += 1;
    }
    const seconds = (performance.now() - started) / 1_000;
    if (succeeded !== objects) throw new Error(`${succeeded} of ${objects} containers succeeded`);
    await scar.deleteFunction('bench-map');
    return seconds;
  } finally {
    await scar.close();
  }
}

async function chrootSeconds() {
  if (process.getuid?.() !== 0) return undefined;
  const root = mkdtempSync(join(tmpdir(), 'scar-bench-'));
  try {
    execFileSync('tar', ['-xzf', await layerFile(), '-C', root]);
    const started = performance.now();
    execFileSync('sh', ['-c', `seq ${objects} | xargs -P ${concurrency} -I{} chroot "$0" true {}`, root]);
    return (performance.now() - started) / 1_000;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const seconds = await mapSeconds();
const chroot = await chrootSeconds();
printTable([
  [`${objects} no-op containers, ${concurrency} at once`, 'seconds', 'per second', 'target s'],
  ['mapOverBucket', figure(seconds), Math.round(objects / seconds), targetSeconds],
  ...(chroot === undefined ? [] : [['xargs -P, chroot', figure(chroot), Math.round(objects / chroot), '']]),
]);
console.log(
  JSON.stringify({
    objects,
    concurrency,
    seconds: figure(seconds),
    targetSeconds,
    chrootSeconds: chroot && figure(chroot),
  }),
);

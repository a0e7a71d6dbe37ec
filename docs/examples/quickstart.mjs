#!/usr/bin/env node
// Maps ImageMagick over a bucket of photographs, on the embedded engine or on AWS: all the way from an image to results.
//   npm run quickstart -- --help
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DeleteBucketCommand } from '@aws-sdk/client-s3';
import { ScarClient, ScarError } from 'scar-client';
import { createBucket, emptyPrefix, upload } from './quickstart/bucket.mjs';
import { check } from './quickstart/check.mjs';
import { followLog } from './quickstart/log.mjs';
import { help, parseOptions, UsageError } from './quickstart/options.mjs';
import { progressBar } from './quickstart/progress.mjs';
import { printSummary, tell } from './quickstart/report.mjs';
import { grayify } from './quickstart/scripts.mjs';

/** A client of AWS, or of an engine that lives in this process: what follows is the same for both. */
const connect = ({ aws, region, roleArn }) => (aws ? new ScarClient({ region, roleArn }) : ScarClient.local());

/**
 * @param {ReturnType<typeof parseOptions> & { image: string, pictures: string }} options
 * @param {AbortSignal} signal - ends it early; what it made is removed all the same
 * @returns {Promise<boolean>} whether every picture came out gray
 */
export async function quickstart(options, signal) {
  const scar = await connect(options);
  const name = `scar-quickstart-${randomBytes(4).toString('hex')}`;
  const bucket = options.bucket ?? name;
  // Below this lies all that the run makes; in a bucket of its own, all.
  const prefix = options.bucket ? `${name}/` : '';
  const undo = [() => scar.close()];
  try {
    if (!options.bucket) {
      await createBucket(scar.s3, bucket);
      undo.unshift(() => scar.s3.send(new DeleteBucketCommand({ Bucket: bucket })));
    }
    undo.unshift(() => emptyPrefix(scar.s3, bucket, prefix));
    undo.unshift(() => scar.deleteFunction(name));
    return await run(scar, { ...options, name, bucket, prefix }, signal);
  } finally {
    await removeAll(undo);
  }
}

/** Takes every step, also after one that failed; then throws the first failure. */
async function removeAll(steps) {
  const failures = [];
  for (const step of steps) await step().catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function run(scar, { name, bucket, prefix, image, pictures, ...options }, signal) {
  const input = `${prefix}input/`;

  const keys = await upload(scar.s3, { bucket, prefix: input, folder: pictures, signal });
  if (keys.length === 0) throw new UsageError(`there is no JPEG file in ${pictures}`);
  tell('bucket', `${keys.length} photographs in ${bucket}/${input}`);

  await scar.createFunction({
    name,
    image,
    script: { inline: grayify },
    memoryMiB: 1024,
    timeoutSeconds: 120,
    ephemeralStorageMiB: 1024,
    output: [{ bucket, prefix: `${prefix}output/` }],
    signal,
  });
  tell('function', `${name}, from ${image}`);

  const concurrency = Math.min(keys.length, options.concurrency ?? (options.aws ? 1_000 : availableParallelism()));
  const preheat = await scar.preheat(name, { environments: concurrency, signal });
  tell('preheat', `${preheat.environments} execution environments hold the image`);

  const { summary, outputs, failures } = await grayifyAll(scar, {
    name,
    bucket,
    input,
    concurrency,
    total: keys.length,
    verbose: options.verbose,
    signal,
  });

  const bar = progressBar('check', outputs.size);
  const found = await check(scar, {
    name,
    bucket,
    prefix,
    pictures,
    outputs,
    concurrency,
    signal,
    progress: bar.update,
  });
  bar.stop();
  const problems = [...failures, ...found];
  if (summary.succeeded !== keys.length) problems.push(`${keys.length - summary.succeeded} pictures have no result`);
  printSummary(summary, { preheat, aws: options.aws, problems });
  return problems.length === 0;
}

/** Maps the function over the pictures, with a bar, and with its log beside it. */
async function grayifyAll(scar, { name, bucket, input, concurrency, total, verbose, signal }) {
  const bar = progressBar('gray', total);
  let logged = 0;
  const log = followLog(scar, name, (line) => {
    const fromScript = line.startsWith('grayified');
    if (fromScript) logged += 1;
    if (verbose) console.log(line);
    else if (fromScript) bar.note(line);
  });
  const map = scar.mapOverBucket(name, { bucket, prefix: input, concurrency, signal });
  map.on('progress', ({ done }) => bar.update(done));
  const outputs = new Map();
  const failures = [];
  try {
    for await (const item of map) {
      if (item.status === 'succeeded')
        outputs.set(
          item.key,
          item.outputs.map(({ key }) => key),
        );
      else failures.push(`${basename(item.key)}: ${item.error.message}`);
    }
    // The log comes after the results; on AWS by seconds.
    for (let waits = 0; logged < outputs.size && waits < 40; waits += 1) await sleep(250, undefined, { signal });
  } finally {
    bar.stop();
    await log.stop();
  }
  tell('log', `${logged} of ${total} containers reported in`);
  return { summary: map.summary, outputs, failures };
}

/** Runs as a program; Ctrl-C ends it in order. */
async function main() {
  const interrupted = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(0, interrupted.signal);
  for (const name of ['SIGINT', 'SIGTERM'])
    process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
  try {
    const options = parseOptions(process.argv.slice(2), process.env);
    if (options.help) return console.log(help);
    if (!options.image) throw new UsageError('--image REFERENCE (or SCAR_IMAGE) is needed: an image with ImageMagick');
    if (!options.pictures) throw new UsageError('--pictures DIRECTORY is needed: a folder of JPEG files');
    const allGray = await quickstart(
      { ...options, image: options.image, pictures: options.pictures },
      interrupted.signal,
    );
    process.exitCode = allGray ? 0 : 1;
  } catch (error) {
    process.exitCode = interrupted.signal.aborted ? 130 : error instanceof UsageError ? 2 : 1;
    if (interrupted.signal.aborted)
      console.error(`\n${interrupted.signal.reason.message}; all that was made is removed`);
    else if (error instanceof UsageError || error instanceof ScarError) console.error(`error: ${error.message}`);
    else console.error(error);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

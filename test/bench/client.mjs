// What a map takes beside the AWS SDK: mapOverBucket against a bare loop over LambdaClient.send, which does nothing but send an event and parse
// the answer. Lambda and S3 are a process beside that answers at once (lib/instant-aws.mjs). The two take turns.
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ScarClient } from 'scar-client';
import { figure, median, printTable } from './lib/figures.mjs';
import { key, serveInstantly } from './lib/instant-aws.mjs';

const rounds = 7;
const target = 0.9;
const objects = Number(process.env.SCAR_BENCH_OBJECTS ?? 5_000);
const levels = [32, 256, 1_000];
const bucket = `objects-${objects}`;
const sockets = 1_024;

const { endpoint, stop } = await serveInstantly();
const common = { region: 'eu-west-1', endpoint, credentials: { accessKeyId: 'id', secretAccessKey: 'secret' } };
const scar = new ScarClient({ ...common, sockets });
const httpAgent = { keepAlive: true, keepAliveMsecs: 1_000, maxSockets: sockets, maxFreeSockets: sockets };
const lambda = new LambdaClient({ ...common, maxAttempts: 1, requestHandler: { httpAgent, socketTimeout: 0 } });

/** As large as what the map sends. @param {string} key */
const event = (key) => ({
  Records: [
    {
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      eventTime: '2026-01-01T00:00:00.000Z',
      awsRegion: 'eu-west-1',
      s3: { bucket: { name: bucket }, object: { key, size: 1, eTag: '0cc175b9c0f1b6a831c399e269772661' } },
    },
  ],
  scar: { version: 1, idempotencyKeys: ['n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg'] },
});

/** @param {number} concurrency */
async function bare(concurrency) {
  let next = 0;
  let succeeded = 0;
  const worker = async () => {
    while (next < objects) {
      const Payload = Buffer.from(JSON.stringify(event(key(next++))));
      const answer = await lambda.send(new InvokeCommand({ FunctionName: 'bench', LogType: 'Tail', Payload }));
      const { outcomes } = JSON.parse(answer.Payload?.transformToString() ?? '');
      if (outcomes[0].status === 'succeeded') succeeded += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return succeeded;
}

/** @param {number} concurrency */
async function mapped(concurrency) {
  let succeeded = 0;
  for await (const item of scar.mapOverBucket('bench', { bucket, concurrency })) {
    if (item.status === 'succeeded') succeeded += 1;
  }
  return succeeded;
}

/** Objects per second. @param {(concurrency: number) => Promise<number>} run @param {number} concurrency */
async function rate(run, concurrency) {
  const started = performance.now();
  const succeeded = await run(concurrency);
  if (succeeded !== objects) throw new Error(`${succeeded} of ${objects} objects succeeded`);
  return objects / ((performance.now() - started) / 1_000);
}

const results = [];
try {
  for (const concurrency of levels) {
    for (const run of [bare, mapped]) await run(concurrency);
    const pairs = [];
    for (let round = 0; round < rounds; round += 1) {
      const pair = { bare: 0, mapped: 0 };
      // Whoever is second finds a warmer or a fuller heap.
      const order = round % 2 === 0 ? [bare, mapped] : [mapped, bare];
      for (const run of order) pair[run === bare ? 'bare' : 'mapped'] = await rate(run, concurrency);
      pairs.push(pair);
    }
    results.push({
      concurrency,
      barePerSecond: Math.round(median(pairs.map((pair) => pair.bare))),
      mapPerSecond: Math.round(median(pairs.map((pair) => pair.mapped))),
      ofBare: figure(median(pairs.map((pair) => pair.mapped / pair.bare))),
    });
  }
} finally {
  await scar.close();
  lambda.destroy();
  stop();
}
printTable([
  [`${objects} objects, median of ${rounds}`, 'map a second', 'bare a second', 'of bare', 'target'],
  ...results.map(({ concurrency, barePerSecond, mapPerSecond, ofBare }) => [
    `${concurrency} at once`,
    ...[mapPerSecond, barePerSecond, ofBare, target],
  ]),
]);
console.log(JSON.stringify({ objects, rounds, target, levels: results }));

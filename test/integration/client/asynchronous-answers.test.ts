import { InvokeCommand } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readText } from '../../../src/aws/object-store.js';
import { objectStore } from '../../../src/aws/s3.js';
import type { InvocationResponse } from '../../../src/contract/index.js';
import { missingPackage } from '../../support/built-package.js';
import { busyboxMissing } from '../../support/busybox.js';
import { KILL_SUPERVISOR } from '../../support/kill-supervisor.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = missingPackage ?? busyboxMissing;
const bucket = 'files';
const results = { bucket, prefix: 'answers/' };

/** Leaves an object for each run, and ends the environment, as Lambda does for its memory, if it is told to. */
const script = `
echo > "$SCAR_OUTPUT_DIR/$REQUEST_ID"
echo "ran for $REQUEST_ID"
if [ -n "$DIE" ]; then sleep 0.3; ${KILL_SUPERVISOR}; fi
`;

describe.skipIf(missing)(`asynchronous invocations (${missing ?? 'on the engine'})`, () => {
  let local: LocalClient;

  beforeAll(async () => {
    // Lambda repeats after a minute; here it is soon after the claim is too old for its maker to live.
    local = await startLocalClient({ asyncRetryDelaysMs: [17_000, 1] });
    await local.scar.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const timeoutSeconds = 6;
    await local.scar.createFunction({ name: 'noter', image: local.image, script: { inline: script }, timeoutSeconds });
    await local.scar.preheat('noter');
  });
  afterAll(() => local?.close());

  async function send(key: string, environment: Record<string, string> = {}): Promise<string> {
    const scar = {
      version: 1,
      idempotencyKeys: [key],
      results,
      environment,
      output: [{ bucket, prefix: `runs/${key}/` }],
    };
    const Payload = JSON.stringify({ scar });
    const command = new InvokeCommand({ FunctionName: 'noter', InvocationType: 'Event', Payload });
    return (await local.scar.lambda.send(command)).$metadata.requestId ?? '';
  }

  async function answer(key: string): Promise<InvocationResponse> {
    const object = { Bucket: bucket, Key: `answers/${key}` };
    const isThere = async () =>
      expect((await local.scar.s3.send(new HeadObjectCommand(object))).ContentLength).toBeGreaterThan(0);
    await vi.waitFor(isThere, { timeout: 60_000, interval: 100 });
    return JSON.parse(await readText(objectStore(local.scar.s3), { bucket, key: object.Key }));
  }

  async function runs(key: string): Promise<string[]> {
    const { Contents = [] } = await local.scar.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: `runs/${key}/` }),
    );
    return Contents.map(({ Key = '' }) => Key);
  }

  async function log(): Promise<string> {
    let text = '';
    for await (const { message } of local.scar.streamLogs('noter')) text += message;
    return text;
  }

  it('leave one answer for a key that is sent twice', async () => {
    const first = await send('twice');
    expect(await answer('twice')).toMatchObject({ requestId: first, outcomes: [{ status: 'succeeded' }] });
    await send('twice');
    const said = `idempotency key twice was answered by request ${first}`;
    await vi.waitFor(async () => expect(await log()).toContain(said), { timeout: 60_000, interval: 200 });
    expect(await runs('twice')).toEqual([`runs/twice/${first}`]);
  });

  it('are lost, and not run again, when Lambda repeats one whose environment died', async () => {
    const requestId = await send('deadly', { DIE: 'yes' });
    const { outcomes, ...response } = await answer('deadly');
    expect(outcomes).toMatchObject([{ status: 'failed', reason: 'lost', exitCode: null }]);
    expect(response).toMatchObject({ requestId, coldStart: true, image: { pulled: false } });
    expect((await log()).split(`ran for ${requestId}`)).toHaveLength(2);
    expect(await runs('deadly')).toEqual([]);
  });
});

describe.skipIf(missing)(
  `an asynchronous invocation that the engine's end cuts off (${missing ?? 'on the engine'})`,
  () => {
    it('is known to be lost, and not run again, when the engine is there again', async () => {
      await using data = await temporaryFolder('scar-cut-off-');
      const start = () => startLocalClient({ dataDir: data.path, asyncRetryDelaysMs: [17_000, 1] });
      const first = await start();
      await first.scar.s3.send(new CreateBucketCommand({ Bucket: bucket }));
      const sleeping = { inline: 'sleep 60' };
      await first.scar.createFunction({ name: 'sleeper', image: first.image, script: sleeping, timeoutSeconds: 6 });
      const Payload = JSON.stringify({ scar: { version: 1, idempotencyKeys: ['cut'], results } });
      const command = new InvokeCommand({ FunctionName: 'sleeper', InvocationType: 'Event', Payload });
      const { $metadata } = await first.scar.lambda.send(command);
      const object = { Bucket: bucket, Key: 'answers/cut' };
      await vi.waitFor(() => first.scar.s3.send(new HeadObjectCommand(object)), { timeout: 60_000, interval: 20 });
      await first.close();

      const second = await start();
      try {
        const isAnswered = async () =>
          expect((await second.scar.s3.send(new HeadObjectCommand(object))).ContentLength).toBeGreaterThan(0);
        await vi.waitFor(isAnswered, { timeout: 60_000, interval: 100 });
        const text = await readText(objectStore(second.scar.s3), { bucket, key: object.Key });
        expect(JSON.parse(text)).toMatchObject({ requestId: $metadata.requestId, outcomes: [{ reason: 'lost' }] });
      } finally {
        await second.close();
      }
    });
  },
);

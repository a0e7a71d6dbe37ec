import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { missingPackage } from '../../support/built-package.js';
import { busyboxMissing } from '../../support/busybox.js';
import { errorOf, type LocalClient, startLocalClient } from '../../support/local-client.js';

const missing = missingPackage ?? busyboxMissing;

describe.skipIf(missing)(`a map of many parts (${missing ?? 'on the engine'})`, () => {
  let local: LocalClient;
  const lines = Array.from({ length: 1_000 }, (_, n) => `line ${n} ${'x'.repeat(n % 37)}`);

  beforeAll(async () => {
    local = await startLocalClient();
    const { scar } = local;
    for (const Bucket of ['files', 'runs']) await scar.s3.send(new CreateBucketCommand({ Bucket }));
    const put = (Key: string, Body: string) =>
      scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key, Body: Buffer.from(Body) }));
    await put('text/whole.txt', lines.join('\n'));
    await put('text/empty.txt', '');
    for (let n = 0; n < 30; n++) await put(`many/${n}`, `${n}`);
    await scar.createFunction({
      name: 'count',
      image: local.image,
      script: {
        inline: 'sort "$SCAR_INPUT_FILE" > "$SCAR_OUTPUT_DIR/sorted.txt"; grep -c "" "$SCAR_INPUT_FILE" || true',
      },
      output: [{ bucket: 'files', prefix: 'out/' }],
    });
  });
  afterAll(() => local?.close());

  const keys = async (Bucket: string, Prefix: string) =>
    ((await local.scar.s3.send(new ListObjectsV2Command({ Bucket, Prefix }))).Contents ?? []).map(
      ({ Key = '' }) => Key,
    );

  it('works on the lines of an object in chunks, each line once', async () => {
    const run = local.scar.mapOverBucket('count', { bucket: 'files', prefix: 'text/', chunk: { bytes: 4_000 } });
    const chunks = Math.ceil(lines.join('\n').length / 4_000);
    expect(await run.plan()).toMatchObject({ objects: 2, items: chunks + 1, invocations: chunks + 1 });
    const counted = await run.reduce((sum, { value }) => sum + (value as number), 0);
    expect(counted).toBe(1_000);
    expect(run.summary).toMatchObject({ complete: true, succeeded: chunks + 1 });
    expect(await keys('files', 'out/sorted.part-')).toHaveLength(chunks);
  });

  it('gives an invocation several objects', async () => {
    const run = local.scar.mapOverBucket('count', { bucket: 'files', prefix: 'many/', batch: { items: 8 } });
    const requests = new Map<string, number>();
    for await (const { requestId } of run) requests.set(requestId, (requests.get(requestId) ?? 0) + 1);
    expect([...requests.values()].toSorted()).toEqual([6, 8, 8, 8]);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 30, attempts: 4 });
  });

  it('keeps its journal in a bucket, and its answers too', async () => {
    const place = { bucket: 'runs', prefix: 'kept/' };
    const options = { bucket: 'files', prefix: 'many/', journal: place, results: place, drainMs: 60_000 };
    const run = local.scar.mapOverBucket('count', { ...options, concurrency: 3 });
    for await (const _ of run) break;
    const done = run.summary.succeeded;
    expect(done).toBeGreaterThan(0);
    const resumed = local.scar.resumeMap(run.runId, { journal: place });
    const seen: string[] = [];
    for await (const { key } of resumed) seen.push(key);
    expect(seen.toSorted()).toEqual(Array.from({ length: 30 }, (_, n) => `many/${n}`).toSorted());
    expect(resumed.summary).toMatchObject({ complete: true, succeeded: 30, replayed: done });
    expect(await keys('runs', `kept/${run.runId}/answers/`)).toHaveLength(30);
    expect((await keys('runs', `kept/${run.runId}/journal/`)).length).toBeLessThan(30);
  });

  it('reduces what its containers left, level by level, and leaves nothing between', async () => {
    const { scar, image } = local;
    await scar.createFunction({
      name: 'double',
      image,
      script: {
        inline: 'echo $(( 2 * $(cat "$SCAR_INPUT_FILE") )) > "$SCAR_OUTPUT_DIR/$(basename "$SCAR_INPUT_FILE")"',
      },
      output: [{ bucket: 'files', prefix: 'doubled/' }],
    });
    // The order of what it gets is in what it leaves.
    const script = 'cat "$TMP_INPUT_DIR"/* > "$SCAR_OUTPUT_DIR/all"';
    await scar.createFunction({ name: 'join', image, script: { inline: script } });
    const result = await scar.mapReduce(
      'double',
      { bucket: 'files', prefix: 'many/' },
      { function: 'join', output: { bucket: 'files', prefix: 'joined/' }, fanIn: 4 },
    );
    expect(result).toMatchObject({ reductions: 8 + 2 + 1, map: { complete: true, succeeded: 30 } });
    expect(await keys('files', 'joined/')).toEqual(['joined/all']);
    const { Body } = await scar.s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'joined/all' }));
    const numbers = Array.from({ length: 30 }, (_, n) => n).toSorted((a, b) => (String(a) < String(b) ? -1 : 1));
    expect(await Body?.transformToString()).toBe(numbers.map((n) => `${2 * n}\n`).join(''));
  });

  it('does not reduce where a part is missing', async () => {
    const { scar } = local;
    const reduce = { function: 'join', output: { bucket: 'files', prefix: 'joined/' } };
    const failing = scar.mapReduce(
      'double',
      { bucket: 'files', prefix: 'many/', args: ['-c', 'false'], script: { inline: 'exit 1' } },
      reduce,
    );
    await expect(failing).rejects.toMatchObject({
      code: 'map-failed',
      message: expect.stringMatching(/The first: .*exit code 1/),
      cause: { code: 'invocation-failed' },
    });
    const silent = scar.mapReduce('double', { bucket: 'files', prefix: 'many/', script: { inline: 'true' } }, reduce);
    await expect(silent).rejects.toThrow(/^The map's containers must leave files/);
    await expect(scar.mapReduce('double', { bucket: 'files' }, { ...reduce, fanIn: 1 })).rejects.toThrow(
      /^reduce\.fanIn must/,
    );
  });

  it('reduces each file once, whichever places it went to, and none that took the place of another', async () => {
    const { scar } = local;
    for (const folder of ['a', 'b', 'c']) {
      await scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key: `letters/${folder}/same`, Body: folder }));
    }
    const inline =
      'name=$(echo "$STORAGE_OBJECT_KEY" | tr / -); cp "$SCAR_INPUT_FILE" "$SCAR_OUTPUT_DIR/$name.txt"; cp "$SCAR_INPUT_FILE" "$SCAR_OUTPUT_DIR/$name.log"';
    const output = [
      { bucket: 'files', prefix: 'out/', suffixes: ['.txt'] },
      { bucket: 'files', prefix: 'out/copies/' },
    ];
    const reduce = { function: 'join', output: { bucket: 'files', prefix: 'once/' } };
    const options = { bucket: 'files', prefix: 'letters/', output };
    await scar.mapReduce('double', { ...options, script: { inline } }, reduce);
    expect(await keys('files', 'out/copies/letters')).toHaveLength(6);
    const { Body } = await scar.s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'once/all' }));
    expect(await Body?.transformToString()).toBe('aabbcc');

    const same = 'cp "$SCAR_INPUT_FILE" "$SCAR_OUTPUT_DIR/"';
    const colliding = scar.mapReduce('double', { ...options, script: { inline: same }, concurrency: 1 }, reduce);
    await expect(colliding).rejects.toMatchObject({
      code: 'map-failed',
      context: { bucket: 'files', key: 'out/copies/same', inputs: ['letters/a/same', 'letters/b/same'] },
    });
  });

  it('ends as aborted when the client is closed between two levels', async () => {
    const other = await startLocalClient();
    const { scar, image } = other;
    await scar.s3.send(new CreateBucketCommand({ Bucket: 'files' }));
    for (let n = 0; n < 3; n++)
      await scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key: `in/${n}`, Body: 'x' }));
    const output = [{ bucket: 'files', prefix: 'out/' }];
    await scar.createFunction({
      name: 'copy',
      image,
      script: { inline: 'cp "$SCAR_INPUT_FILE" "$SCAR_OUTPUT_DIR/"' },
      output,
    });
    const script = {
      inline: 'test -e "$TMP_INPUT_DIR/000001-1" || sleep 60; cat "$TMP_INPUT_DIR"/* > "$SCAR_OUTPUT_DIR/all"',
    };
    await scar.createFunction({ name: 'join', image, script });
    const ended = errorOf(
      scar.mapReduce(
        'copy',
        { bucket: 'files', prefix: 'in/' },
        { function: 'join', output: { bucket: 'files', prefix: 'joined/' }, fanIn: 2 },
      ),
    );
    await vi.waitUntil(async () => {
      const { KeyCount = 0 } = await scar.s3.send(
        new ListObjectsV2Command({ Bucket: 'files', Prefix: 'joined/.parts/' }),
      );
      return KeyCount > 0;
    }, 60_000);
    await other.close();
    expect(await ended).toMatchObject({ code: 'aborted' });
  });

  it('maps over inputs, with their log beside', async () => {
    const run = local.scar.map(
      'count',
      [
        ['-c', 'echo 1'],
        ['-c', 'echo 2'],
      ],
      { script: { inline: 'echo "$((6 * 7))"' } },
    );
    const log: string[] = [];
    const logged = (async () => {
      for await (const { message } of local.scar.streamLogs('count', { run, follow: true })) log.push(message);
    })();
    const values: unknown[] = [];
    for await (const { value } of run) values.push(value);
    await logged;
    expect(values).toEqual([42, 42]);
    expect(log.filter((line) => line === '42')).toHaveLength(2);
    expect(log.filter((line) => line.startsWith('REPORT '))).toHaveLength(2);
  });
});

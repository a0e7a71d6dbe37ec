import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { streamLogs } from '../../../../../src/client/stream-logs.js';
import { startS3Engine } from '../../../../support/s3-engine.js';
import { aws, collect } from '../../mapped-bucket.js';
import { queuedBucket } from '../../queued-bucket.js';

const HEAD = '{"scarMap":1,"runId":"x","functionName":"gray","options":{"bucket":"photos"}}';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-damage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Resumes a run whose journal has these lines. */
function resumed(...lines: string[]) {
  writeFileSync(join(folder, 'x.jsonl'), lines.map((line) => `${line}\n`).join(''));
  return collect(aws({ objects: ['a'] }).resume('x', { journal: folder }));
}

const DAMAGED = [
  ['rubbish', 'JSON'],
  ['null', 'a JSON object'],
  ['5', 'a JSON object'],
  ['"item"', 'a JSON object'],
  ['[]', 'a JSON object'],
  ['{"id":"k","item":null}', 'a result with its ID'],
  ['{"id":"k","item":{}}', 'a result with its ID'],
  ['{"id":"k","item":{"requestId":"r","status":"failed","error":null}}', 'a result with its ID'],
  ['{"item":{"requestId":"r","status":"succeeded"}}', 'a result with its ID'],
  ['{"id":"k","number":0,"bucket":"photos","object":null}', 'an object that is to be sent, with its ID'],
  ['{"id":"k","number":"0","bucket":"photos","object":{"key":"k"}}', 'an object that is to be sent, with its ID'],
  ['{"sent":null,"skipped":0}', 'the end, in numbers'],
] as const;

describe('a damaged journal', () => {
  it.each(DAMAGED)('is named with its line: %s', async (line, rule) => {
    const expected = {
      code: 'journal',
      message: `Line 2 of ${join(folder, 'x.jsonl')} must be ${rule}: the journal is damaged`,
    };
    await expect(resumed(HEAD, line)).rejects.toMatchObject(expected);
    const log = streamLogs(aws({ objects: [] }).context, 'gray', { run: 'x', journal: folder });
    await expect(collect(log)).rejects.toMatchObject(expected);
  });

  it.each([
    ['null', 'a JSON object'],
    ['5', 'a JSON object'],
    ['{"scarMap":1,"functionName":"gray","options":null}', 'the head of a map, with its function and options'],
    ['{"scarMap":1,"functionName":"gray","options":[]}', 'the head of a map, with its function and options'],
    ['{"scarMap":1,"options":{"bucket":"photos"}}', 'the head of a map, with its function and options'],
  ])('and if that is its head: %s', async (line, rule) => {
    const message = `Line 1 of ${join(folder, 'x.jsonl')} must be ${rule}: the journal is damaged`;
    await expect(resumed(line)).rejects.toMatchObject({ code: 'journal', message });
  });

  it('and by who looks on at an asynchronous run', async () => {
    const s3 = await startS3Engine();
    try {
      const { attach, results } = await queuedBucket(s3, []);
      const put = (number: number, Body: string) =>
        s3.client.send(
          new PutObjectCommand({ Bucket: results.bucket, Key: `scar-runs/x/journal/000000000${number}`, Body }),
        );
      await put(1, '{"scarMap":1,"functionName":"gray","options":{"bucket":"photos","mode":"async"}}\n');
      for (const [line, rule] of DAMAGED) {
        await put(2, `${line}\n`);
        const message = `A line of part 2 of s3://${results.bucket}/scar-runs/x/journal/ must be ${rule}: the journal is damaged`;
        await expect(collect(attach('x'))).rejects.toMatchObject({ code: 'journal', message });
      }
    } finally {
      await s3.close();
    }
  });
});

describe('a journal of another version', () => {
  it('is named as one, with what can be done', async () => {
    await expect(resumed('{"scarMap":2,"function":"gray"}')).rejects.toMatchObject({
      code: 'run-not-found',
      message: expect.stringMatching(
        /; it has format 2, of another version, and this one reads 1: go on with the version of scar-client that began the run$/,
      ),
    });
  });
});

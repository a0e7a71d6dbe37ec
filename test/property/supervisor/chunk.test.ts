import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../src/aws/object-store.js';
import { objectStore } from '../../../src/aws/s3.js';
import { splitObject } from '../../../src/client/map/chunk.js';
import { type Chunk, ChunkLines, parseChunk, writeChunk } from '../../../supervisor/chunk.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

/** Few different bytes, so that delimiters come often, overlap themselves, and lie across every bound. */
const bytes = (constraints: fc.IntArrayConstraints) =>
  fc.uint8Array({ min: 97, max: 98, ...constraints }).map((array) => Buffer.from(array));

const split = fc.record({
  content: bytes({ maxLength: 60 }),
  delimiter: bytes({ minLength: 1, maxLength: 4 }),
  chunkBytes: fc.integer({ min: 1, max: 70 }),
});

/** The client's chunks as the supervisor reads them out of records. */
function chunksOf(content: Buffer, delimiter: Buffer, bytes: number, eTag = 'e'): Chunk[] {
  return [...splitObject({ bytes: content.length }, { bytes, delimiter })].map((chunk) => {
    const parsed = parseChunk(chunk, { size: content.length, eTag });
    if (typeof parsed === 'string') throw new Error(parsed);
    return parsed;
  });
}

/** Where lines begin, by their definition alone. */
function lineStarts(content: Buffer, delimiter: Buffer): number[] {
  const starts = content.length === 0 ? [] : [0];
  for (let at = delimiter.length; at < content.length; at++) {
    if (content.subarray(at - delimiter.length, at).equals(delimiter)) starts.push(at);
  }
  return starts;
}

/** What chunks should have: nothing lost, nothing twice, whole lines only, and each line where it begins. */
function expectLines(content: Buffer, delimiter: Buffer, chunks: Chunk[], parts: (Part | undefined)[]) {
  expect(Buffer.concat(parts.flatMap((part) => part?.bytes ?? []))).toEqual(content);
  const starts = lineStarts(content, delimiter);
  chunks.forEach(({ start, end }, index) => {
    const begins = starts.filter((at) => at >= start && at < end);
    expect(parts[index] === undefined).toBe(begins.length === 0 && content.length > 0);
    if (parts[index] && content.length > 0) expect(parts[index].start).toBe(begins[0]);
  });
  const covered = parts.filter((part) => part !== undefined);
  covered.forEach((part, n) => {
    expect(part.end - part.start).toBe(part.bytes.length);
    expect(part.end).toBe(covered[n + 1]?.start ?? content.length);
  });
}

interface Part {
  start: number;
  end: number;
  bytes: Buffer;
}

/** Reads a chunk out of bytes that come in pieces of some size. */
function take(content: Buffer, chunk: Chunk, pieceBytes: number): Part | undefined {
  const lines = new ChunkLines(chunk);
  const taken: Buffer[] = [];
  for (let at = lines.from; at < content.length && !lines.complete; at += pieceBytes) {
    taken.push(lines.take(content.subarray(at, at + pieceBytes)));
  }
  return lines.range && { ...lines.range, bytes: Buffer.concat(taken) };
}

describe('the chunks of an object', () => {
  it('are the object, in whole lines, whatever the delimiter, the bounds and the pieces in which bytes come', () => {
    fc.assert(
      fc.property(split, fc.integer({ min: 1, max: 20 }), ({ content, delimiter, chunkBytes }, pieceBytes) => {
        const chunks = chunksOf(content, delimiter, chunkBytes);
        const parts = chunks.map((chunk) => take(content, chunk, pieceBytes));
        expectLines(content, delimiter, chunks, parts);
      }),
      { numRuns: 5_000 },
    );
  });

  it('are read no further than to the piece in which their last line ends', () => {
    fc.assert(
      fc.property(split, ({ content, delimiter, chunkBytes }) => {
        const starts = lineStarts(content, delimiter);
        for (const chunk of chunksOf(content, delimiter, chunkBytes)) {
          const lines = new ChunkLines(chunk);
          let at = lines.from;
          for (; at < content.length && !lines.complete; at++) lines.take(content.subarray(at, at + 1));
          const has = starts.some((start) => start >= chunk.start && start < chunk.end);
          const next = starts.find((start) => start >= chunk.end) ?? content.length;
          expect(at).toBeLessThanOrEqual(has || content.length === 0 ? next : chunk.end);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the chunks of an object in S3', () => {
  let s3: S3Engine;
  let store: ObjectStore;
  const folder = mkdtempSync(join(tmpdir(), 'scar-chunk-'));
  const file = join(folder, 'file');

  beforeAll(async () => {
    s3 = await startS3Engine();
    store = objectStore(s3.client);
    await s3.client.send(new CreateBucketCommand({ Bucket: 'data' }));
  });
  afterAll(async () => {
    await s3.close();
    rmSync(folder, { recursive: true });
    expect(s3.failures).toEqual([]);
  });

  async function readAll(content: Buffer, delimiter: Buffer, chunkBytes: number) {
    const object = { bucket: 'data', key: 'lines' };
    await store.write(object, content);
    const { eTag = '' } = await store.head(object);
    const chunks = chunksOf(content, delimiter, chunkBytes, eTag.replaceAll('"', ''));
    const parts: (Part | undefined)[] = [];
    for (const chunk of chunks) {
      const range = await writeChunk(store, object, chunk, file, new AbortController().signal);
      parts.push(range && { ...range, bytes: readFileSync(file) });
    }
    return { chunks, parts };
  }

  it('are the object, in whole lines', async () => {
    await fc.assert(
      fc.asyncProperty(split, async ({ content, delimiter, chunkBytes }) => {
        const { chunks, parts } = await readAll(content, delimiter, Math.max(chunkBytes, content.length >> 2));
        expectLines(content, delimiter, chunks, parts);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['no byte', '', 10, [{ start: 0, end: 0 }]],
    ['one byte', 'a', 10, [{ start: 0, end: 1 }]],
    ['a delimiter only', '\n', 1, [{ start: 0, end: 1 }]],
    ['no delimiter', 'abc', 1, [{ start: 0, end: 3 }, undefined, undefined]],
    ['no delimiter at its end', 'a\nb\nc', 2, [{ start: 0, end: 2 }, { start: 2, end: 4 }, { start: 4, end: 5 }]], // biome-ignore format: a row
    // The second request for the first chunk brings the line's end.
    ['a line that ends far behind its chunk', `a\n${'x'.repeat(150_000)}\nb`, 50_000, [{ start: 0, end: 150_003 }, undefined, undefined, { start: 150_003, end: 150_004 }]], // biome-ignore format: a row
  ])('of %s', async (_, text, chunkBytes, expected) => {
    const content = Buffer.from(text);
    const { parts } = await readAll(content, Buffer.from('\n'), chunkBytes);
    expect(Buffer.concat(parts.flatMap((part) => part?.bytes ?? [])).equals(content)).toBe(true);
    expect(parts.map((part) => part && { start: part.start, end: part.end })).toEqual(expected);
  });
});

import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { extname, join } from 'node:path';
import type { ObjectStore } from '../src/aws/object-store.js';
import type { InputObject } from '../src/contract/index.js';
import { ScarError } from '../src/errors.js';
import { formatBytes } from '../src/util/format-bytes.js';
import { type Chunk, writeChunk } from './chunk.js';
import { asFailure, Failure, isDiskFull } from './failure.js';

/** Longest file name, in bytes (NAME_MAX of every Linux file system that matters). */
const MAX_NAME_BYTES = 255;
/** What of a long name's end is kept, because programs look at it. */
const MAX_EXTENSION_BYTES = 32;

/** Whether an object only stands for a folder: consoles and tools make empty ones whose keys end in `/`. */
export function isFolderMarker({ key, bytes }: InputObject): boolean {
  return key.endsWith('/') && (bytes ?? 0) === 0;
}

/**
 * Name of the file that an object becomes: the last part of its key. Names that no file can have are made possible: `.` and
 * `..` and NUL are percent-encoded, and one longer than 255 bytes, or `maxBytes`, is cut, with a hash of the whole key before its extension.
 */
export function inputFileName(key: string, maxBytes = MAX_NAME_BYTES): string {
  const base = key.slice(key.lastIndexOf('/') + 1);
  const name = /^\.{1,2}$/.test(base) ? base.replaceAll('.', '%2E') : base.replaceAll('\0', '%00');
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const extension = Buffer.byteLength(extname(name)) <= MAX_EXTENSION_BYTES ? extname(name) : '';
  const end = `-${createHash('sha256').update(key).digest('hex').slice(0, 12)}${extension}`;
  let start = '';
  for (const character of name) {
    if (Buffer.byteLength(start) + Buffer.byteLength(character) + Buffer.byteLength(end) > maxBytes) break;
    start += character;
  }
  return `${start}${end}`;
}

/**
 * Brings an object, or the lines of a chunk of it, into a folder. Returns the file's name; undefined if no line begins in the chunk.
 *
 * @throws Failure `stage-in`, or `no-space` with numbers
 */
export async function stageIn(
  store: ObjectStore,
  input: InputObject,
  chunk: Chunk | undefined,
  folder: string,
  { freeBytes, signal, number = '' }: { freeBytes(): number; signal: AbortSignal; number?: string },
): Promise<string | undefined> {
  const base = inputFileName(input.key, MAX_NAME_BYTES - number.length);
  const name = number + base;
  if (base === '') {
    throw new Failure(
      'stage-in',
      `The key of an input must end in a file name; received s3://${input.bucket}/${input.key}, which has content`,
    );
  }
  const free = freeBytes();
  if ((chunk ? chunk.end - chunk.start : (input.bytes ?? 0)) > free) throw tooLarge(input, chunk, free);
  const file = join(folder, name);
  try {
    if (chunk) {
      const lines = await writeChunk(store, input, chunk, file, signal);
      input.chunk = { index: chunk.index, count: chunk.count, ...lines };
      return lines && name;
    }
    const { bytes, versionId } = await store.readFile(input, file, { signal });
    input.bytes = bytes;
    if (versionId !== undefined && versionId !== 'null') input.versionId ??= versionId;
    return name;
  } catch (error) {
    if (chunk && error instanceof ScarError && error.context.status === 412) throw replaced(input, chunk, error);
    throw isDiskFull(error) ? tooLarge(input, chunk, free, error) : asFailure(error, 'stage-in');
  }
}

/** Objects that are staged in at once. */
const AT_ONCE = 8;

/**
 * Brings objects into a folder, side by side: `000000-<name>`, `000001-<name>`, so that no two have the same name, and that a listing has them in
 * their order.
 *
 * @throws Failure of the first that fails
 */
export async function gatherIn(
  store: ObjectStore,
  inputs: readonly InputObject[],
  folder: string,
  options: { freeBytes(): number; signal: AbortSignal },
): Promise<void> {
  // Each read listens to it, more than once.
  setMaxListeners(0, options.signal);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < inputs.length; index = next++) {
      const number = `${String(index).padStart(6, '0')}-`;
      await stageIn(store, inputs[index] as InputObject, undefined, folder, { ...options, number });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function tooLarge(input: InputObject, chunk: Chunk | undefined, free: number, cause?: unknown): Failure {
  const { bytes } = input;
  let size = bytes === undefined ? 'is larger than that' : `has ${formatBytes(bytes)}`;
  if (chunk) size = `is to give ${formatBytes(chunk.end - chunk.start)}, and what is left of its last line`;
  return new Failure(
    'no-space',
    `/tmp has ${formatBytes(free)} left, and ${describeInput(input)} ${size}. Raise the function's ephemeral storage`,
    cause,
  );
}

/** Lines of two contents must not be taken for those of one object. */
function replaced(input: InputObject, { ifMatch }: Chunk, cause: unknown): Failure {
  return new Failure(
    'stage-in',
    `${describeInput(input)} must be of the object that was split, which had the ETag ${ifMatch}; it was replaced since. ` +
      'Run over the object again',
    cause,
  );
}

/** An input, in messages. */
export function describeInput({ bucket, key, chunk }: InputObject): string {
  const object = `s3://${bucket}/${key}`;
  return chunk ? `chunk ${chunk.index} (of 0 to ${chunk.count - 1}) of ${object}` : object;
}

import { extname } from 'node:path';
import pLimit from 'p-limit';
import type { ObjectStore } from '../src/aws/object-store.js';
import type { ChunkReference, FailureReason, InputObject, OutputObject, OutputTarget } from '../src/contract/index.js';
import { contentType } from '../src/util/content-type.js';
import { Failure } from './failure.js';
import type { OutputFile } from './output-files.js';

/** Files in flight at a time. Each is in memory as a whole, if it is not larger than the store's part. */
const PARALLEL_FILES = 4;
/** Larger files go one after the other, with this many parts in memory. */
const PARALLEL_PARTS = 3;

/** Prefix of outputs when no target is configured (the paper, section 3). */
const DEFAULT_PREFIX = 'output/';

/** One file on its way to one target. */
export interface Upload {
  file: OutputFile;
  bucket: string;
  key: string;
  /** The file goes to an earlier target too. */
  copy?: true;
}

/**
 * The targets of an invocation: the event's, the function's, or `output/` in the input's bucket. An empty list was asked for;
 * undefined if nothing says where outputs could go.
 */
export function outputTargets(
  event: readonly OutputTarget[] | undefined,
  spec: readonly OutputTarget[] | undefined,
  input: InputObject | undefined,
): readonly OutputTarget[] | undefined {
  return event ?? spec ?? (input && [{ bucket: input.bucket, prefix: DEFAULT_PREFIX }]);
}

/**
 * Refuses an input that lies where outputs go, before anything is run: each output would be the next input, for ever.
 *
 * @throws Failure `stage-out`
 */
export function refuseLoop(input: InputObject | undefined, targets: readonly OutputTarget[] = []): void {
  if (!input) return;
  const target = targets.find(
    ({ bucket, prefix }) => bucket === input.bucket && prefix !== '' && input.key.startsWith(prefix),
  );
  if (!target) return;
  throw new Failure(
    'stage-out',
    `The input s3://${input.bucket}/${input.key} lies below the function's own output s3://${target.bucket}/${target.prefix}: ` +
      'its output would trigger it again, for ever. Give the trigger and the output prefixes that do not contain each other',
  );
}

/**
 * What goes where. Files that no target's suffixes want are left out; that is what suffixes are for.
 *
 * @param triggered - whether a bucket's notification brought the input, so that an output may bring the next one
 * @throws Failure `stage-out` if there are files and no target, or if an output would replace the input or be the next one
 */
export function planUploads(
  files: readonly OutputFile[],
  targets: readonly OutputTarget[] | undefined,
  input: InputObject | undefined,
  triggered: boolean,
): Upload[] {
  if (files.length === 0) return [];
  if (!targets) {
    throw new Failure(
      'stage-out',
      `The container left ${describeFiles(files)} in its output folder, and the function has no output target. Give the ` +
        'function, or this invocation, an output, or an empty list to keep nothing',
    );
  }
  const uploads = targets.flatMap((target, place): Upload[] =>
    files
      .filter((file) => wants(target, file))
      .map((file) => ({
        file,
        bucket: target.bucket,
        key: target.prefix + outputName(file.path, input?.chunk),
        ...(targets.slice(0, place).some((earlier) => wants(earlier, file)) && { copy: true }),
      })),
  );
  const looping = uploads.find((upload) => input && comesBack(upload, input, triggered));
  if (!looping) return uploads;
  throw new Failure(
    'stage-out',
    `The output s3://${looping.bucket}/${looping.key} would replace its input ${input?.key}, or lie beside it with the same ` +
      'extension and trigger the function again. Give the output a prefix of its own',
  );
}

function wants({ suffixes }: OutputTarget, { path }: OutputFile): boolean {
  return !suffixes?.length || suffixes.some((suffix) => path.endsWith(suffix));
}

/**
 * What a file is called behind a target's prefix: its path; of a chunk with the chunk's number before the extension, so that the chunks
 * of an object, all of which may write the same file, do not take each other's place. All of equal length: their order is that of the lines.
 */
export function outputName(path: string, chunk: ChunkReference | undefined): string {
  if (!chunk) return path;
  const extension = extname(path);
  const number = String(chunk.index).padStart(String(chunk.count - 1).length, '0');
  return `${path.slice(0, path.length - extension.length)}.part-${number}${extension}`;
}

export function describeFiles([first, ...others]: readonly OutputFile[]): string {
  return others.length > 0 ? `${others.length + 1} files (${first?.path}, ...)` : `the file ${first?.path}`;
}

/**
 * Whether an output takes the place of its input, or would be taken for the next one: a trigger covers at least the folder
 * of what it brought; if it has a suffix filter, another extension escapes it.
 */
function comesBack({ bucket, key }: Upload, input: InputObject, triggered: boolean): boolean {
  if (bucket !== input.bucket) return false;
  if (key === input.key) return true;
  const folder = input.key.slice(0, input.key.lastIndexOf('/') + 1);
  return triggered && folder !== '' && key.startsWith(folder) && extname(key) === extname(input.key);
}

/** What the objects say of themselves, to who never sees the response. */
export interface OutputMarks {
  requestId: string;
  outcome: 'succeeded' | FailureReason;
}

/**
 * Sends files to their objects, a few at a time. All are tried; then those that arrived are told, in the order of the plan,
 * and the first failure in that order is thrown.
 */
export async function stageOut(
  store: ObjectStore,
  uploads: readonly Upload[],
  marks: OutputMarks,
  signal: AbortSignal,
  onUploaded: (object: OutputObject) => void,
): Promise<void> {
  const metadata = { 'scar-request-id': marks.requestId, 'scar-outcome': marks.outcome };
  const send = async ({ file, bucket, key, copy }: Upload): Promise<OutputObject> => {
    signal.throwIfAborted();
    const options = { contentType: contentType(file.path), metadata, signal, parallelParts: PARALLEL_PARTS };
    const { bytes } = await store.writeFile({ bucket, key }, file.host, options);
    return { bucket, key, bytes, ...(copy && { copy }) };
  };
  const [small, large] = [pLimit(PARALLEL_FILES), pLimit(1)];
  const results = await Promise.allSettled(
    uploads.map((upload) => (upload.file.bytes > store.partBytes ? large : small)(() => send(upload))),
  );
  for (const result of results) if (result.status === 'fulfilled') onUploaded(result.value);
  const failed = results.filter((result) => result.status === 'rejected');
  const [first] = failed;
  if (!first) return;
  const others = failed.length > 1 ? ` (and ${failed.length - 1} more of ${uploads.length} outputs)` : '';
  throw new Failure('stage-out', `${(first.reason as Error).message}${others}`, first.reason);
}

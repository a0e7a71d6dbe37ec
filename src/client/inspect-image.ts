import { type Platform, RUNNERS, type RunnerName } from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import { type ImageContents, type Libc, mergeLayers } from '../oci/archive/index.js';
import { countBytes } from '../util/count-bytes.js';
import { formatBytes } from '../util/format-bytes.js';
import { type ClientContext, underClient } from './context.js';
import { advisedStorageMiB, MAX_STORAGE_MIB, neededStorageMiB } from './disk-size.js';
import { type FunctionImage, PLATFORMS, resolveFunctionImage } from './function-image.js';
import { checkFunctionOptions, type FunctionArchitecture, type FunctionOptions } from './function-options.js';
import type { CallOptions } from './get-function.js';
import { ImageStore } from './image-store.js';
import { configuredStore } from './publish-image.js';
import * as check from './validate.js';

export type { Libc };

export interface InspectImageOptions
  extends CallOptions,
    Pick<FunctionOptions, 'memoryMiB' | 'ephemeralStorageMiB' | 'registry' | 'runner'> {
  /** Processors that the function shall run on. Default `x86_64`. */
  architecture?: FunctionArchitecture;
}

/** What an image is and needs as a function. Bytes are those of file systems with blocks of 4 KiB. */
export interface ImageInspection {
  reference: string;
  /** Of the manifest that would run. */
  digest: string;
  platform: Platform;
  layers: number;
  compressedBytes: number;
  /** Of `/tmp`, when it is unpacked. */
  unpackedBytes: number;
  files: number;
  /** Files, folders and links. */
  inodes: number;
  libc: Libc;
  /** What runs unless a function says otherwise: ENTRYPOINT and CMD. */
  command: string[];
  /** USER; empty: root. */
  user: string;
  workingDirectory: string;
  environment: string[];
  /** What would start its processes. */
  runner: RunnerName;
  /** What a function should have for it, and more for inputs and outputs. */
  needs: { ephemeralStorageMiB: number; memoryMiB: number };
  /** Whether it can run with the options given, or Lambda's defaults. */
  fits: { ephemeralStorage: boolean; memory: boolean };
  /** Whether its archive is in the image bucket: then nothing was read but the manifest. */
  cached: boolean;
}

/** What the supervisor takes at most while it brings an image in (docs/performance.md), and a small program. */
const NEEDED_MEMORY_MIB = 160;
const DEFAULT_MIB = 512;

/** `ScarClient.images.inspect`. */
export function inspectImage(
  context: ClientContext,
  reference: string,
  options: InspectImageOptions = {},
): Promise<ImageInspection> {
  checkOptions(reference, options);
  return underClient(context, options.signal, async (signal) => {
    const { architecture = 'x86_64' } = options;
    const found = await resolveFunctionImage(reference, PLATFORMS[architecture], options, context, signal);
    try {
      const kept = await keptContents(context, found, signal);
      return describeImage(found, options, kept ?? (await readContents(context, found, signal)), kept !== undefined);
    } finally {
      await found.source.close();
    }
  });
}

function checkOptions(reference: string, options: InspectImageOptions): void {
  check.text('reference', reference, 'e.g. docker.io/library/debian:12');
  const names = ['architecture', 'memoryMiB', 'ephemeralStorageMiB', 'registry', 'runner', 'signal'];
  check.knownOptions(options, names, 'images.inspect');
  const { architecture, ...others } = options;
  checkFunctionOptions(others);
  if (architecture !== undefined && !Object.hasOwn(PLATFORMS, architecture)) {
    throw new ValidationError('architecture', "be 'x86_64' or 'arm64'", architecture);
  }
}

/** What the bucket says of the image, if there is a bucket that may be asked. */
async function keptContents(
  context: ClientContext,
  { image }: FunctionImage,
  signal: AbortSignal,
): Promise<ImageContents | undefined> {
  const region = await context.region();
  const address = configuredStore(context.config, region);
  if (!address) return undefined;
  try {
    return (await new ImageStore(context, address, region).find(image.digest, signal))?.index;
  } catch (error) {
    const answered = error instanceof ScarError && ['bucket-not-found', 'permission-denied'].includes(error.code);
    if (!answered) throw error;
    return undefined;
  }
}

async function readContents(
  context: ClientContext,
  { image, source }: FunctionImage,
  signal: AbortSignal,
): Promise<ImageContents> {
  const onBytes = countBytes(image.compressedBytes, (done, total) => {
    const message = `Reading ${image.reference}: ${formatBytes(done)} of ${formatBytes(total)}`;
    context.notify.progress({
      operation: 'images.inspect',
      functionName: '',
      step: 'read-image',
      message,
      done,
      total,
    });
  });
  return (await mergeLayers(image, source, { onBytes, signal })).contents;
}

function describeImage(
  { image }: FunctionImage,
  { architecture = 'x86_64', memoryMiB, ephemeralStorageMiB, runner }: InspectImageOptions,
  { disk, files, libc }: ImageContents,
  cached: boolean,
): ImageInspection {
  const { Entrypoint, Cmd, User = '', WorkingDir = '/', Env = [] } = image.config.config ?? {};
  const advised = advisedStorageMiB(disk);
  const storage = ephemeralStorageMiB ?? DEFAULT_MIB;
  return {
    reference: image.reference,
    digest: image.digest,
    platform: PLATFORMS[architecture],
    layers: image.manifest.layers.length,
    compressedBytes: image.compressedBytes,
    unpackedBytes: disk.bytes + disk.folderBytes,
    files,
    inodes: disk.inodes,
    libc,
    command: [...(Entrypoint ?? []), ...(Cmd ?? [])],
    user: User,
    workingDirectory: WorkingDir === '' ? '/' : WorkingDir,
    environment: [...Env],
    runner: runner ?? (RUNNERS[0] as RunnerName),
    needs: { ephemeralStorageMiB: advised, memoryMiB: NEEDED_MEMORY_MIB },
    fits: {
      ephemeralStorage: neededStorageMiB(disk) <= Math.min(storage, MAX_STORAGE_MIB),
      memory: (memoryMiB ?? DEFAULT_MIB) >= NEEDED_MEMORY_MIB,
    },
    cached,
  };
}

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unzipSync, type Zippable, zipSync } from 'fflate';
import {
  type FunctionSpec,
  ROOTFS_FILE,
  ROOTFS_INDEX_FILE,
  runnerFile,
  SCRIPT_FILE,
  SPEC_FILE,
} from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import { parseIndex, type RootfsIndex } from '../oci/archive/index.js';
import { formatBytes } from '../util/format-bytes.js';

/** Entry point of the package: `index.mjs`, its export `handler`. */
export const HANDLER = 'index.handler';
const SUPERVISOR_FILE = 'index.mjs';

/** Of a zip in the request itself (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const MAX_ZIP_BYTES = 50 * 1024 * 1024;

/** The same bytes for the same content, in any time zone: fflate writes the local parts of this date. */
const TIMESTAMP = new Date(1980, 0, 1);

/** What a package has beside supervisor, runner and spec. */
export interface PackageContents {
  script?: Uint8Array | undefined;
  index?: RootfsIndex | undefined;
  /** A small image's rootfs archive. */
  rootfs?: Uint8Array | undefined;
}

export interface FunctionPackage {
  zip: Uint8Array;
  /** Base64 SHA-256, as Lambda reports it. */
  sha256: string;
}

/**
 * Makes a function's zip: supervisor, runner, spec, script and image. Deterministic.
 *
 * @param directory - where the built supervisor and runner are
 * @throws ScarError `package-too-large`; ValidationError if the build is not there
 */
export async function packFunction(
  directory: string,
  spec: FunctionSpec,
  { script, index, rootfs }: PackageContents,
): Promise<FunctionPackage> {
  const runner = runnerFile(spec.platform.architecture);
  const files: Zippable = {
    [SUPERVISOR_FILE]: entry(await readBuilt(directory, SUPERVISOR_FILE), 0o644),
    [runner]: entry(await readBuilt(directory, runner), 0o755),
    [SPEC_FILE]: entry(Buffer.from(JSON.stringify(spec)), 0o644),
    ...(script && { [SCRIPT_FILE]: entry(script, 0o755) }),
    ...(index && { [ROOTFS_INDEX_FILE]: entry(Buffer.from(JSON.stringify(index)), 0o644) }),
    ...(rootfs && { [ROOTFS_FILE]: entry(rootfs, 0o644, 0) }),
  };
  const zip = zipSync(files);
  if (zip.byteLength > MAX_ZIP_BYTES) {
    throw new ScarError(
      'package-too-large',
      `The function's package must have at most ${formatBytes(MAX_ZIP_BYTES)}; it has ${formatBytes(zip.byteLength)}. ` +
        'Put large data into the image or a bucket, not into the script',
      { context: { bytes: zip.byteLength, maxBytes: MAX_ZIP_BYTES } },
    );
  }
  return { zip, sha256: createHash('sha256').update(zip).digest('base64') };
}

/** What a package says of its function. Throws if it is none of this package's. */
export function unpackFunction(zip: Uint8Array): { spec: FunctionSpec } & PackageContents {
  const wanted = [SPEC_FILE, SCRIPT_FILE, ROOTFS_INDEX_FILE, ROOTFS_FILE];
  const files = unzipSync(zip, { filter: ({ name }) => wanted.includes(name) });
  const { [SPEC_FILE]: spec, [ROOTFS_INDEX_FILE]: index } = files;
  if (!spec)
    throw new ScarError('service', `The function's package has no ${SPEC_FILE}: it was not made by this package`);
  return {
    spec: JSON.parse(Buffer.from(spec).toString()) as FunctionSpec,
    script: files[SCRIPT_FILE],
    index: index && parseIndex(Buffer.from(index).toString(), ROOTFS_INDEX_FILE),
    rootfs: files[ROOTFS_FILE],
  };
}

/** Upper half of the external attributes: type and mode, where the entry was made by Unix (APPNOTE 4.4.2 and 4.4.15). */
function entry(content: Uint8Array, mode: number, level: 0 | 9 = 9): Zippable[string] {
  const REGULAR_FILE = 0o100000;
  return [content, { os: 3, attrs: ((REGULAR_FILE | mode) << 16) >>> 0, mtime: TIMESTAMP, level }];
}

async function readBuilt(directory: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, name));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ValidationError('supervisorDirectory', `hold ${name}`, directory, `${reason}. "npm run build" makes it`);
  }
}

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { openImage, resolveImage, type UnpackOptions, type UnpackStats, unpackImage } from '../../../src/oci/index.js';
import { isInstalled } from '../installed.js';
import { type FileFacts, readFacts } from './facts.js';
import { rules } from './rules.js';

/** Why nothing can be compared here, in one line. */
export const umociMissing: string | undefined = ['python3', 'umoci'].every(isInstalled)
  ? undefined
  : 'needs the Debian packages python3 and umoci';

/** What umoci has unpacked. */
export interface Oracle {
  facts: ReadonlyMap<string, FileFacts>;
  /** Before it began: no file of the image is as new. */
  startedNs: bigint;
}

/** Unpacks an image of a layout with umoci into a new folder. */
export async function unpackWithUmoci(image: string, bundle: string): Promise<Oracle> {
  const startedNs = BigInt(Date.now()) * 1_000_000n;
  await promisify(execFile)('umoci', ['unpack', '--rootless', '--image', image, bundle]);
  return { facts: readFacts(join(bundle, 'rootfs')), startedNs };
}

/** Unpacks an image of this machine's platform with our library. */
export async function unpack(reference: string, rootfs: string, options: UnpackOptions): Promise<UnpackStats> {
  const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;
  const source = openImage(reference);
  try {
    return await unpackImage(await resolveImage(source, { os: 'linux', architecture }), source, rootfs, options);
  } finally {
    await source.close();
  }
}

/** How files of ours differ from umoci's. */
export interface Differences {
  /** Names that one of both has. */
  files: number;
  /** Names of rules, and for how many files each was needed. */
  explained: Record<string, number>;
  /** What no rule explains, a line each. */
  unexplained: string[];
}

export function differences(ours: ReadonlyMap<string, FileFacts>, { facts, startedNs }: Oracle): Differences {
  const explained: Record<string, number> = {};
  const unexplained: string[] = [];
  const paths = new Set([...facts.keys(), ...ours.keys()]);
  for (const path of paths) {
    const actual = ours.get(path);
    let expected = facts.get(path);
    for (const rule of rules) {
      if (expected === undefined || isDeepStrictEqual(actual, expected)) break;
      const next = rule.apply(expected, actual, path, startedNs);
      if (next !== expected) explained[rule.name] = (explained[rule.name] ?? 0) + 1;
      expected = next;
    }
    if (!isDeepStrictEqual(actual, expected)) unexplained.push(difference(path, actual, facts.get(path)));
  }
  return { files: paths.size, explained, unexplained };
}

function difference(path: string, ours: FileFacts | undefined, theirs: FileFacts | undefined): string {
  if (ours === undefined) return `${path}: only umoci has it (${theirs?.type})`;
  if (theirs === undefined) return `${path}: only we have it (${ours.type})`;
  const keys = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])] as (keyof FileFacts)[];
  const differing = keys.filter((key) => !isDeepStrictEqual(ours[key], theirs[key]));
  const both = differing.map((key) => `${key} ${shown(key, ours[key])}, umoci: ${shown(key, theirs[key])}`);
  return `${path}: ${both.join('; ')}`;
}

const shown = (key: keyof FileFacts, value: FileFacts[keyof FileFacts]): string =>
  key === 'mode' ? `0${Number(value).toString(8)}` : String(value);

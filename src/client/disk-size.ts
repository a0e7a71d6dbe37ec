import { ScarError } from '../errors.js';
import type { DiskUsage } from '../oci/archive/index.js';
import { formatBytes } from '../util/format-bytes.js';

const MIB = 1024 * 1024;

/** The most that a function's `/tmp` may have (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
export const MAX_STORAGE_MIB = 10_240;

/** What a rootfs takes of `/tmp`, in MiB, rounded up. */
export function neededStorageMiB({ bytes, folderBytes }: DiskUsage): number {
  return Math.ceil((bytes + folderBytes) / MIB);
}

/**
 * What a function should have for an image, in MiB: room for the runner, the input and the outputs as well, and not less than Lambda
 * gives.
 */
export function advisedStorageMiB(disk: DiskUsage): number {
  return Math.max(512, Math.ceil(neededStorageMiB(disk) * 1.05) + 32);
}

/** Throws `no-space`, with the size that it needs, for an image that does not fit a function's `/tmp`. */
export function refuseSmallDisk(reference: string, disk: DiskUsage, ephemeralStorageMiB: number): void {
  const needed = neededStorageMiB(disk);
  if (needed <= ephemeralStorageMiB) return;
  const advised = advisedStorageMiB(disk);
  const remedy =
    advised <= MAX_STORAGE_MIB
      ? `Give it at least ephemeralStorageMiB: ${advised}, and more for inputs and outputs`
      : `Lambda gives at most ${MAX_STORAGE_MIB} MiB: use a smaller image`;
  throw new ScarError(
    'no-space',
    `${reference} needs ${formatBytes(disk.bytes + disk.folderBytes)} of the function's /tmp when it is unpacked; ` +
      `ephemeralStorageMiB is ${ephemeralStorageMiB}. ${remedy}`,
    { context: { image: reference, neededMiB: needed, ephemeralStorageMiB } },
  );
}

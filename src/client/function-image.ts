import { type ImageLocation, type Platform, TAGS } from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import {
  dockerLogin,
  formatReference,
  type ImageReference,
  type ImageSource,
  openImage,
  parseReference,
  type RegistryCredentials,
  type ResolvedImage,
  resolveImage,
} from '../oci/index.js';
import type { ClientConfig } from './config.js';
import type { ClientContext } from './context.js';
import type { FunctionArchitecture, FunctionOptions } from './function-options.js';
import { ImageStore, type ImageStoreAddress } from './image-store.js';
import type { Rollback } from './rollback.js';

/** What images must be made for, by Lambda's names of architectures. */
export const PLATFORMS: Readonly<Record<FunctionArchitecture, Platform>> = {
  x86_64: { os: 'linux', architecture: 'amd64' },
  arm64: { os: 'linux', architecture: 'arm64' },
};

/** An image that is pinned and known to run on its function's platform. */
export interface FunctionImage {
  reference: ImageReference;
  source: ImageSource;
  image: ResolvedImage;
  /** How environments will fetch it. */
  pullFrom: 'registry' | 'bucket';
  insecure: boolean | undefined;
}

/**
 * Finds an image and pins it by digest. Where its registry does not give it to everybody, the login that `docker login` has kept is
 * tried, and the image then goes through the bucket. Close its `source` when done.
 *
 * @throws ImageError, UnsupportedImageError if there is none for the platform; RegistryError, ValidationError
 */
export async function resolveFunctionImage(
  text: string,
  platform: Platform,
  options: Pick<FunctionOptions, 'registry' | 'pullFrom'>,
  context: Pick<ClientContext, 'config' | 'notify'>,
  signal: AbortSignal,
): Promise<FunctionImage> {
  const reference = parseReference(text);
  const pullFrom = choosePull(reference, options);
  const { username, password, insecure } = options.registry ?? {};
  const given = username !== undefined && password !== undefined ? { username, password } : undefined;
  const open = async (credentials: RegistryCredentials | undefined) => {
    const source = openImage(reference, {
      ...(credentials && { credentials }),
      ...(insecure !== undefined && { insecure }),
      mirrors: { hosts: mirrorsOf(reference, context.config), warn: (message) => warnOfMirror(context, message) },
    });
    return resolveOrClose(source, platform, signal);
  };
  try {
    return { reference, ...(await open(given)), pullFrom, insecure };
  } catch (error) {
    if (given || reference.type !== 'registry' || options.pullFrom === 'registry' || !wantsLogin(error)) throw error;
    const kept = await dockerLogin(reference.registry, context.config.dockerConfig);
    if (!kept) throw error;
    return { reference, ...(await open(kept)), pullFrom: 'bucket', insecure };
  }
}

/** A registry that limits pulls gives those who log in more of them. */
function wantsLogin(error: unknown): boolean {
  return error instanceof ScarError && ['registry-denied', 'registry-rate-limited'].includes(error.code);
}

function mirrorsOf(reference: ImageReference, { registryMirrors }: ClientConfig): readonly string[] {
  return (reference.type === 'registry' && registryMirrors[reference.registry]) || [];
}

function warnOfMirror({ notify }: Pick<ClientContext, 'notify'>, message: string): void {
  notify.warning({ code: 'mirror-passed-over', message, context: {} });
}

async function resolveOrClose(
  source: ImageSource,
  platform: Platform,
  signal: AbortSignal,
): Promise<Pick<FunctionImage, 'source' | 'image'>> {
  try {
    return { source, image: await resolveImage(source, platform, signal) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Makes sure that execution environments can fetch the image, and says from where.
 *
 * @param options.roleArn - the function's role: its account names the default bucket
 * @param options.undo - learns what was made
 * @param options.onBytes - is told of blobs that are in the bucket, in bytes
 */
export async function publishImage(
  context: ClientContext,
  functionName: string,
  { reference, source, image, pullFrom, insecure }: FunctionImage,
  options: { roleArn: string; undo: Rollback; onBytes: (bytes: number) => void; signal: AbortSignal },
): Promise<ImageLocation> {
  if (pullFrom === 'registry' && reference.type === 'registry') {
    const pinned = formatReference({ ...reference, digest: image.digest });
    const mirrors = [...mirrorsOf(reference, context.config)];
    return {
      type: 'registry',
      reference: pinned,
      ...(insecure !== undefined && { insecure }),
      ...(mirrors.length > 0 && { mirrors }),
    };
  }
  const { undo, signal } = options;
  const region = await context.region();
  const address = imageStoreAddress(context.config, region, options.roleArn);
  // A bucket that the user named must be there: creating one after a slip of the pen would hide the slip.
  if (context.config.imageBucket === undefined && (await context.buckets.create(address.bucket, region, signal))) {
    undo.made(`bucket ${address.bucket}`, () => context.buckets.deleteIfEmpty(address.bucket));
  }
  const store = new ImageStore(context, address, region);
  undo.made(`the image in bucket ${address.bucket}`, async () => {
    // By then the name may be somebody else's who was faster, or the function may have had this image before.
    const kept = await digestInUse(context, functionName);
    await store.release(
      functionName,
      (digest) => digest === image.digest && digest !== kept,
      new AbortController().signal,
    );
  });
  await store.put(functionName, image, source, options.onBytes, signal);
  return { type: 's3', ...address };
}

/** The image that a function runs; undefined if there is no such function. */
async function digestInUse(context: ClientContext, functionName: string): Promise<string | undefined> {
  try {
    return (await context.functions.get(functionName)).tags[TAGS.digest];
  } catch (error) {
    if (error instanceof ScarError && error.code === 'function-not-found') return undefined;
    throw error;
  }
}

/** The configured bucket, or the one named after account and Region. */
export function imageStoreAddress(config: ClientConfig, region: string, roleArn: string): ImageStoreAddress {
  const account = roleArn.split(':')[4] ?? '';
  return { bucket: config.imageBucket ?? `scar-images-${account}-${region}`, prefix: config.imagePrefix };
}

function choosePull(
  reference: ImageReference,
  { registry, pullFrom }: Pick<FunctionOptions, 'registry' | 'pullFrom'>,
): 'registry' | 'bucket' {
  if (reference.type !== 'registry') {
    if (registry) throw new ValidationError('registry', 'be left out for an image that is in none', reference.text);
    if (pullFrom === 'registry') {
      throw new ValidationError('pullFrom', "be 'bucket' for an image that is in no registry", pullFrom);
    }
    return 'bucket';
  }
  if (registry?.password === undefined) return pullFrom ?? 'registry';
  if (pullFrom === 'registry') {
    const hint = 'The password stays on this machine, so that the function could not pull from there';
    throw new ValidationError('pullFrom', "be 'bucket' for a registry that needs a password", pullFrom, hint);
  }
  return 'bucket';
}

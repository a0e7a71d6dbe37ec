import type { Platform, RegistryLocation } from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import {
  dockerLogin,
  formatReference,
  type ImageReference,
  type ImageSource,
  openImage,
  parseReference,
  type RegistryCredentials,
  type RegistryReference,
  type ResolvedImage,
  resolveImage,
} from '../oci/index.js';
import type { ClientConfig } from './config.js';
import type { ClientContext } from './context.js';
import type { FunctionArchitecture, FunctionOptions, ImageSourceName } from './function-options.js';

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
  /** How environments can pull it themselves; undefined if they cannot. */
  registry: RegistryLocation | undefined;
  /** What the user said. */
  imageSource: ImageSourceName | undefined;
}

/**
 * Finds an image and pins it by digest. Where its registry does not give it to everybody, the login that `docker login` has kept is
 * tried. Close its `source` when done.
 *
 * @throws ImageError, UnsupportedImageError if there is none for the platform; RegistryError, ValidationError
 */
export async function resolveFunctionImage(
  text: string,
  platform: Platform,
  options: Pick<FunctionOptions, 'registry' | 'imageSource'>,
  context: Pick<ClientContext, 'config' | 'notify'>,
  signal: AbortSignal,
): Promise<FunctionImage> {
  const reference = parseReference(text);
  const { imageSource } = options;
  checkSource(reference, options);
  const { username, password, insecure } = options.registry ?? {};
  const given = username !== undefined && password !== undefined ? { username, password } : undefined;
  const hosts = mirrorsOf(reference, context.config);
  const open = async (credentials: RegistryCredentials | undefined): Promise<FunctionImage> => {
    const source = openImage(reference, {
      ...(credentials && { credentials }),
      ...(insecure !== undefined && { insecure }),
      mirrors: { hosts, warn: (message) => warnOfMirror(context, message) },
    });
    const found = await resolveOrClose(source, platform, signal);
    const open = reference.type === 'registry' && !credentials;
    const registry = open ? registryLocation(reference, found.image, insecure, hosts) : undefined;
    return { reference, ...found, registry, imageSource };
  };
  try {
    return await open(given);
  } catch (error) {
    if (given || reference.type !== 'registry' || imageSource === 'registry' || !wantsLogin(error)) throw error;
    const kept = await dockerLogin(reference.registry, context.config.dockerConfig);
    if (!kept) throw error;
    return await open(kept);
  }
}

function registryLocation(
  reference: RegistryReference,
  { digest }: ResolvedImage,
  insecure: boolean | undefined,
  mirrors: readonly string[],
): RegistryLocation {
  return {
    reference: formatReference({ ...reference, digest }),
    ...(insecure !== undefined && { insecure }),
    ...(mirrors.length > 0 && { mirrors: [...mirrors] }),
  };
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

function checkSource(
  reference: ImageReference,
  { registry, imageSource }: Pick<FunctionOptions, 'registry' | 'imageSource'>,
): void {
  if (reference.type !== 'registry' && registry) {
    throw new ValidationError('registry', 'be left out for an image that is in none', reference.text);
  }
  if (imageSource !== 'registry') return;
  if (reference.type !== 'registry') {
    throw new ValidationError('imageSource', "be 'cache' for an image that is in no registry", imageSource);
  }
  if (registry?.password === undefined) return;
  const hint = 'The password stays on this machine, so that the function could not pull from there';
  throw new ValidationError('imageSource', "be 'cache' for a registry that needs a password", imageSource, hint);
}

export type { RootfsIndex } from './archive/index-document.js';
export { compressionOf } from './decompress.js';
export { isDigest, sha256 } from './digest.js';
export type { Descriptor, ImageConfig, ImageSource, Manifest, ResolvedImage } from './image-source.js';
export { openImage } from './open.js';
export {
  type ArchiveReference,
  formatReference,
  type ImageReference,
  type LayoutReference,
  parseReference,
  type RegistryReference,
} from './reference.js';
export { dockerLogin } from './registry/docker-login.js';
export { atMirror, type Mirrors } from './registry/mirrors.js';
export type { RegistryCredentials, RegistryOptions } from './registry/options.js';
export { imageBlobs, manifestDescriptor, resolveImage, type TargetPlatform } from './resolve.js';
export { type LinkForm, runnersLinks, verbatimLinks } from './rootfs/link-target.js';
export { isUnfinished, type UnpackOptions, type UnpackProgress, type UnpackStats, unpackImage } from './rootfs.js';
export { readVerified } from './verify.js';

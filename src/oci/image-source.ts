import type { Readable } from 'node:stream';

/**
 * A descriptor of the OCI image specification
 * (https://github.com/opencontainers/image-spec/blob/main/descriptor.md). `size` in bytes.
 */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
  urls?: string[];
}

export interface Manifest {
  schemaVersion: 2;
  mediaType?: string;
  config: Descriptor;
  layers: Descriptor[];
}

/** The part of the image config that we read (https://github.com/opencontainers/image-spec/blob/main/config.md). */
export interface ImageConfig {
  architecture: string;
  os: string;
  variant?: string;
  config?: {
    Env?: string[];
    Entrypoint?: string[] | null;
    Cmd?: string[] | null;
    WorkingDir?: string;
    User?: string;
  };
  rootfs: { type: 'layers'; diff_ids: string[] };
}

/** An image whose platform is chosen and whose manifest and config are verified. */
export interface ResolvedImage {
  /** As the user wrote it. */
  reference: string;
  /** Digest of the manifest, `sha256:...`. */
  digest: string;
  manifest: Manifest;
  /** The manifest's own bytes: what `digest` is the digest of. */
  manifestBytes: Buffer;
  config: ImageConfig;
  /** Sum of the layers' compressed sizes, in bytes. */
  compressedBytes: number;
}

/**
 * Where blobs come from: a registry, a layout, an archive, or (in the supervisor) a bucket. Bytes are *not* trusted by who
 * reads them: `readVerified` and `unpackImage` check size and digest as they pass.
 */
export interface ImageSource {
  readonly reference: string;
  /** The digest that the reference pins, if it does: `resolveImage` asks for exactly that, and checks it. */
  readonly digest?: string | undefined;
  /** A manifest or index: by digest, or by what the reference names when no digest is given. */
  manifest(digest: string | undefined, signal?: AbortSignal): Promise<{ mediaType: string; bytes: Buffer }>;
  /** A blob's bytes as stored. */
  blob(descriptor: Descriptor, signal?: AbortSignal): Promise<Readable>;
  close(): Promise<void>;
}

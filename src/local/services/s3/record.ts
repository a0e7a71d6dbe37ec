import type { ChecksumAlgorithm } from '../../protocol/checksum.js';

/** A piece of data on disk: the ID of its file, and its length in bytes. */
export type Blob = readonly [id: string, bytes: number];

/** A checksum as S3 keeps it: of the whole object, or composed of its parts' checksums. */
export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; with `-N` when composed of N parts. */
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

/** The headers that are kept with an object and given back as they came. */
export interface ContentHeaders {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly expires?: string;
}

/** What a client says of an object beside its data. */
export interface Description {
  readonly headers: ContentHeaders;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** An object, as the journal keeps it. Records never change; a new state is a new record. */
export interface ObjectRecord extends Description {
  readonly bytes: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** The object's data is theirs, one after the other. */
  readonly blobs: readonly Blob[];
  readonly checksum?: StoredChecksum;
  /** Of an object that was uploaded in parts: their lengths and checksums. */
  readonly parts?: readonly ObjectPart[];
}

export interface ObjectPart {
  readonly number: number;
  readonly bytes: number;
  /** Base64. */
  readonly checksum?: string;
}

/** A multipart upload that is neither completed nor aborted. */
export interface UploadRecord extends Description {
  readonly key: string;
  readonly initiated: number;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly type: StoredChecksum['type'] };
}

export interface PartRecord {
  readonly number: number;
  readonly bytes: number;
  readonly etag: string;
  readonly modified: number;
  readonly blobs: readonly Blob[];
  /** Base64, by the upload's algorithm. */
  readonly checksum?: string;
}

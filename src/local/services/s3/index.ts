import { join } from 'node:path';
import { type Service, ServiceError } from '../../protocol/service.js';
import type { NotificationTarget, S3Environment } from './environment.js';
import { noSuchKey } from './errors.js';
import { createS3Service } from './service.js';
import { Store } from './store.js';

export type { NotificationTarget } from './environment.js';

export interface S3Options {
  /** A folder of the service's own; made if it is not there. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  /** Whether whoever had the folder before was killed: then what it left half-done is cleared away. */
  readonly recover: boolean;
  /** Invokes the functions that notifications name. */
  readonly notifications?: NotificationTarget;
}

export interface S3 {
  readonly service: Service;
  /** A whole object, for the engine's other services. @throws ServiceError as GetObject would */
  readObject(bucket: string, key: string, versionId?: string): Promise<Buffer>;
  /** Lets go of all files. No request may come after it. */
  close(): Promise<void>;
}

/** S3 over a folder. */
export function createS3({ directory, recover, ...options }: S3Options): S3 {
  const store = new Store(join(directory), recover);
  const environment: S3Environment = { ...options, store };
  return {
    service: createS3Service(environment),
    readObject: (bucket, key, versionId) => readObject(store, bucket, key, versionId),
    close: () => store.close(),
  };
}

async function readObject(store: Store, bucketName: string, key: string, versionId?: string): Promise<Buffer> {
  if (versionId !== undefined && versionId !== 'null') {
    throw new ServiceError('NoSuchVersion', 404, 'The specified version does not exist.');
  }
  const bucket = await store.bucket(bucketName);
  const record = bucket.get(key);
  if (!record) throw noSuchKey(key);
  if (record.bytes === 0) return Buffer.alloc(0);
  const data = bucket.blobs.read(record.blobs, { first: 0, last: record.bytes - 1 });
  if (Buffer.isBuffer(data)) return data;
  const chunks: Buffer[] = [];
  for await (const chunk of data) chunks.push(chunk);
  return Buffer.concat(chunks);
}

import { ServiceError } from '../../protocol/service.js';

const MAX_KEY_BYTES = 1024;

/**
 * The rules for names of general purpose buckets (S3 user guide, "Bucket naming rules"). They also make a name safe as
 * that of a folder.
 */
export function checkBucketName(name: string): void {
  const wellFormed = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..');
  const reserved = /^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name);
  const address = /^\d+\.\d+\.\d+\.\d+$/.test(name);
  if (wellFormed && !reserved && !address) return;
  throw new ServiceError('InvalidBucketName', 400, 'The specified bucket is not valid.', {
    fields: { BucketName: name },
  });
}

/** Keys are any text of 1 to 1,024 bytes of UTF-8; they are never used as names of files. */
export function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= MAX_KEY_BYTES) return;
  throw new ServiceError('KeyTooLongError', 400, 'Your key is too long', {
    fields: { Size: bytes, MaxSizeAllowed: MAX_KEY_BYTES },
  });
}

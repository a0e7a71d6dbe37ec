import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import pLimit from 'p-limit';

/** @typedef {import('@aws-sdk/client-s3').S3Client} S3Client */

/** Requests at once. */
const transfers = pLimit(16);

/**
 * @param {S3Client} s3
 * @param {string} bucket
 */
export async function createBucket(s3, bucket) {
  const region = await s3.config.region();
  // us-east-1 is the one Region that S3 does not accept as a constraint.
  const configuration = region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region } };
  await s3.send(new CreateBucketCommand({ Bucket: bucket, ...configuration }));
}

/**
 * Uploads the JPEG files of a folder.
 *
 * @param {S3Client} s3
 * @param {{ bucket: string, prefix: string, folder: string, signal: AbortSignal }} what
 * @returns {Promise<string[]>} the keys
 */
export async function upload(s3, { bucket, prefix, folder, signal }) {
  const names = (await readdir(folder)).filter((name) => /\.jpe?g$/i.test(name)).sort();
  const put = async (name) => {
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: prefix + name,
      Body: await readFile(join(folder, name)),
      ContentType: 'image/jpeg',
    });
    await s3.send(command, { abortSignal: signal });
    return prefix + name;
  };
  return Promise.all(names.map((name) => transfers(put, name)));
}

/**
 * @param {S3Client} s3
 * @param {{ bucket: string, key: string, signal?: AbortSignal }} object
 * @returns {Promise<Uint8Array>}
 */
export function download(s3, { bucket, key, signal }) {
  return transfers(async () => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal });
    if (!Body) throw new Error(`${key} came without a body`);
    return Body.transformToByteArray();
  });
}

/**
 * Deletes every object under a prefix.
 *
 * @param {S3Client} s3
 * @param {string} bucket
 * @param {string} prefix
 */
export async function emptyPrefix(s3, bucket, prefix) {
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix })) {
    const objects = (page.Contents ?? []).map(({ Key }) => ({ Key }));
    if (objects.length === 0) continue;
    await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects, Quiet: true } }));
  }
}

import type {
  DeleteObjectTaggingCommandInput,
  GetObjectTaggingCommandInput,
  PutObjectTaggingCommandInput,
} from '@aws-sdk/client-s3';
import type { Operation } from '../../protocol/service.js';
import type { S3Environment } from './environment.js';
import { noSuchKey } from './errors.js';
import { fromTagSet, toTagSet } from './tags.js';
import { refuseUnsupported } from './unsupported.js';

type Addressed = Pick<GetObjectTaggingCommandInput, 'Bucket' | 'Key' | 'VersionId' | 'ExpectedBucketOwner'>;

/** Tags of objects. */
export function taggingOperations({ store, accountId }: S3Environment): Record<string, Operation> {
  const find = async (input: Addressed) => {
    refuseUnsupported(input, accountId);
    const [bucket, key] = [await store.bucket(input.Bucket ?? ''), input.Key ?? ''];
    const record = bucket.get(key);
    if (!record) throw noSuchKey(key);
    return { record, setTags: (tags: Record<string, string>) => bucket.put(key, { ...record, tags }) };
  };
  return {
    async GetObjectTagging(input: GetObjectTaggingCommandInput) {
      const { record } = await find(input);
      return { TagSet: toTagSet(record.tags) };
    },
    async PutObjectTagging(input: PutObjectTaggingCommandInput) {
      const { setTags } = await find(input);
      setTags(fromTagSet(input.Tagging?.TagSet ?? []));
      return {};
    },
    async DeleteObjectTagging(input: DeleteObjectTaggingCommandInput) {
      const { setTags } = await find(input);
      setTags({});
      return {};
    },
  };
}

import type {
  CreateBucketCommandInput,
  DeleteBucketCommandInput,
  GetBucketLocationCommandInput,
  GetBucketVersioningCommandInput,
  HeadBucketCommandInput,
  ListBucketsCommandInput,
} from '@aws-sdk/client-s3';
import { type Operation, RawReply, ServiceError } from '../../protocol/service.js';
import type { S3Environment } from './environment.js';
import { invalidArgument, noSuchBucket } from './errors.js';
import { checkBucketName } from './names.js';
import { refuseUnsupported } from './unsupported.js';

const MAX_BUCKETS = 10_000;

export function bucketOperations({ store, region, accountId }: S3Environment): Record<string, Operation> {
  return {
    CreateBucket(input: CreateBucketCommandInput) {
      const name = input.Bucket ?? '';
      checkBucketName(name);
      refuseUnsupported(input, accountId);
      checkLocation(input.CreateBucketConfiguration?.LocationConstraint, region);
      if (!store.has(name)) store.create({ name, created: Date.now(), notifications: [] });
      // In us-east-1, and only there, creating one's own bucket again succeeds (CreateBucket, "BucketAlreadyOwnedByYou").
      else if (region !== 'us-east-1') {
        const message = 'Your previous request to create the named bucket succeeded and you already own it.';
        throw new ServiceError('BucketAlreadyOwnedByYou', 409, message, { fields: { BucketName: name } });
      }
      return { Location: `/${name}` };
    },

    HeadBucket(input: HeadBucketCommandInput) {
      if (!store.has(input.Bucket ?? '')) throw noSuchBucket(input.Bucket ?? '');
      refuseUnsupported(input, accountId);
      return { BucketRegion: region };
    },

    ListBuckets({ Prefix = '', ContinuationToken, MaxBuckets = MAX_BUCKETS }: ListBucketsCommandInput) {
      if (MaxBuckets < 1 || MaxBuckets > MAX_BUCKETS) {
        throw invalidArgument('max-buckets', MaxBuckets, `max-buckets must be from 1 to ${MAX_BUCKETS}`);
      }
      const after = ContinuationToken === undefined ? '' : Buffer.from(ContinuationToken, 'base64url').toString();
      const found = store.list().filter(({ name }) => name.startsWith(Prefix) && name > after);
      const page = found.slice(0, MaxBuckets);
      const next = found.length > page.length ? page.at(-1)?.name : undefined;
      return {
        Buckets: page.map(({ name, created }) => ({
          Name: name,
          CreationDate: new Date(created),
          BucketRegion: region,
        })),
        Owner: { ID: accountId },
        Prefix: Prefix || undefined,
        ContinuationToken: next && Buffer.from(next).toString('base64url'),
      };
    },

    GetBucketLocation(input: GetBucketLocationCommandInput) {
      if (!store.has(input.Bucket ?? '')) throw noSuchBucket(input.Bucket ?? '');
      // The output has no element of its own around it, which the schemas cannot say; us-east-1 has no constraint.
      const location = region === 'us-east-1' ? '' : region;
      const xmlns = 'http://s3.amazonaws.com/doc/2006-03-01/';
      const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
      const element = `<LocationConstraint xmlns="${xmlns}">${location}</LocationConstraint>`;
      return new RawReply(declaration + element, 'application/xml');
    },

    /** Never switched on, which S3 says by saying nothing. */
    GetBucketVersioning(input: GetBucketVersioningCommandInput) {
      if (!store.has(input.Bucket ?? '')) throw noSuchBucket(input.Bucket ?? '');
      return {};
    },

    async DeleteBucket(input: DeleteBucketCommandInput) {
      refuseUnsupported(input, accountId);
      await store.delete(input.Bucket ?? '');
      return {};
    },
  };
}

/** us-east-1 is the only Region that may go unsaid, and cannot be said (CreateBucket, "LocationConstraint"). */
function checkLocation(constraint: string | undefined, region: string): void {
  if (region === 'us-east-1' && constraint !== undefined) {
    const message = 'The specified location-constraint is not valid';
    throw new ServiceError('InvalidLocationConstraint', 400, message, { fields: { LocationConstraint: constraint } });
  }
  if (region !== 'us-east-1' && constraint !== region) {
    const message = `The ${constraint ?? 'unspecified'} location constraint is incompatible for the region specific endpoint this request was sent to.`;
    throw new ServiceError('IllegalLocationConstraintException', 400, message);
  }
}

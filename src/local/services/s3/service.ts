import type { Service } from '../../protocol/service.js';
import { bucketOperations } from './buckets.js';
import { copyOperations } from './copy.js';
import type { S3Environment } from './environment.js';
import { listingOperations } from './listing.js';
import { multipartOperations } from './multipart.js';
import { notificationOperations } from './notifications.js';
import { objectOperations } from './objects.js';
import { taggingOperations } from './tagging.js';

/** S3 as the engine serves it. */
export function createS3Service(environment: S3Environment): Service {
  return {
    name: 's3',
    protocol: 'rest-xml',
    schemas: () => import('@aws-sdk/client-s3'),
    operations: {
      ...bucketOperations(environment),
      ...objectOperations(environment),
      ...copyOperations(environment),
      ...multipartOperations(environment),
      ...listingOperations(environment),
      ...taggingOperations(environment),
      ...notificationOperations(environment),
    },
  };
}

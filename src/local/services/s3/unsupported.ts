import { ServiceError } from '../../protocol/service.js';
import { notImplemented } from './errors.js';

/** Members whose effect the engine does not have; with the values that ask for nothing beyond what it does anyway. */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  ACL: ['private', 'bucket-owner-full-control', 'bucket-owner-read'],
  GrantFullControl: [],
  GrantRead: [],
  GrantReadACP: [],
  GrantWrite: [],
  GrantWriteACP: [],
  ServerSideEncryption: ['AES256'],
  SSECustomerAlgorithm: [],
  SSEKMSKeyId: [],
  SSEKMSEncryptionContext: [],
  CopySourceSSECustomerAlgorithm: [],
  StorageClass: ['STANDARD'],
  WebsiteRedirectLocation: [],
  ObjectLockMode: [],
  ObjectLockRetainUntilDate: [],
  ObjectLockLegalHoldStatus: [],
  ObjectLockEventHold: [false],
  ObjectLockEnabledForBucket: [false],
  WriteOffsetBytes: [],
  VersionId: ['null'],
  MFA: [],
  IfMatchLastModifiedTime: [],
  IfMatchSize: [],
  BypassGovernanceRetention: [false],
};

/**
 * Refuses by name what would otherwise be ignored in silence.
 *
 * @throws ServiceError `NotImplemented`, or `AccessDenied` when the caller expects another owner
 */
export function refuseUnsupported(input: object, accountId: string): void {
  const members = input as Readonly<Record<string, unknown>>;
  for (const [name, neutral] of Object.entries(UNSUPPORTED)) {
    const value = members[name];
    if (value !== undefined && !neutral.includes(value)) throw notImplemented(`${name} ${String(value)}`);
  }
  for (const name of ['ExpectedBucketOwner', 'ExpectedSourceBucketOwner']) {
    if (members[name] !== undefined && members[name] !== accountId)
      throw new ServiceError('AccessDenied', 403, 'Access Denied');
  }
}

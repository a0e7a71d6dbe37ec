import type { Tag } from '@aws-sdk/client-s3';
import { ServiceError } from '../../protocol/service.js';

const MAX_TAGS = 10;

/** Tags in the form of a header: a query string. */
export function parseTagging(text: string | undefined): Record<string, string> {
  return checked([...new URLSearchParams(text ?? '')]);
}

export function fromTagSet(tags: readonly Tag[]): Record<string, string> {
  return checked(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

export function toTagSet(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** S3 user guide, "Object key and value tagging". */
function checked(tags: readonly (readonly [string, string])[]): Record<string, string> {
  if (tags.length > MAX_TAGS) {
    throw new ServiceError('BadRequest', 400, `Object tags cannot be greater than ${MAX_TAGS}`);
  }
  const byName = new Map(tags);
  if (byName.size < tags.length) throw invalidTag('Cannot provide multiple Tags with the same key');
  for (const [name, value] of byName) {
    if (name.length < 1 || name.length > 128) throw invalidTag('The TagKey you have provided is invalid');
    if (value.length > 256) throw invalidTag('The TagValue you have provided is invalid');
  }
  return Object.fromEntries(byName);
}

function invalidTag(message: string): ServiceError {
  return new ServiceError('InvalidTag', 400, message);
}

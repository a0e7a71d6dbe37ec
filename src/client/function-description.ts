import type { FunctionFacts } from '../aws/lambda.js';
import { type FunctionSpec, TAGS } from '../contract/index.js';
import { FunctionError } from '../errors.js';
import { containerVariables, type FunctionArchitecture } from './function-options.js';
import { type ImageStoreAddress, storePrefix } from './image-store.js';

/** A function as Lambda and its tags describe it. */
export interface FunctionDescription {
  name: string;
  arn: string;
  /** `Active` when it can be invoked. */
  state: string;
  /** Why it is in another state; empty otherwise. */
  stateReason: string;
  image: {
    /** As it was named when the function was made; characters that tags cannot hold are replaced by `_`. */
    reference: string;
    /** The manifest that runs. */
    digest: string;
  };
  architecture: FunctionArchitecture;
  memoryMiB: number;
  timeoutSeconds: number;
  ephemeralStorageMiB: number;
  /** The container's variables. */
  environment: Record<string, string>;
  roleArn: string;
  owner: string;
  /** All its tags. */
  tags: Record<string, string>;
  logGroup: string;
  /** Base64 SHA-256 of the package: equal packages have equal ones. */
  codeSha256: string;
  lastModified: Date;
}

/** A tag of the client's own: bucket and prefix of the image's store, for whoever deletes the function. */
export const STORE_TAG = 'scar:image-store';

export function describe(facts: FunctionFacts, tags: Record<string, string>): FunctionDescription {
  return {
    name: facts.name,
    arn: facts.arn,
    state: facts.state,
    stateReason: facts.stateReason,
    image: { reference: tags[TAGS.image] ?? '', digest: tags[TAGS.digest] ?? '' },
    architecture: facts.architecture,
    memoryMiB: facts.memoryMiB,
    timeoutSeconds: facts.timeoutSeconds,
    ephemeralStorageMiB: facts.ephemeralStorageMiB,
    environment: containerVariables(facts.variables),
    roleArn: facts.roleArn,
    owner: tags[TAGS.owner] ?? '',
    tags,
    logGroup: facts.logGroup,
    codeSha256: facts.codeSha256,
    lastModified: facts.lastModified,
  };
}

/** The tags that say which image runs, and where it is if it is in a bucket. */
export function imageTags({
  imageReference,
  imageDigest,
  imageLocation: { archive },
}: FunctionSpec): Record<string, string> {
  return {
    [TAGS.image]: tagValue(imageReference),
    [TAGS.digest]: imageDigest,
    ...(archive?.type === 's3' && { [STORE_TAG]: tagValue(`${archive.bucket}/${storePrefix(archive.key)}`) }),
  };
}

/** The inverse of what {@link imageTags} says of a bucket. */
export function parseStoreTag(tag: string | undefined): ImageStoreAddress | undefined {
  if (tag === undefined) return undefined;
  const slash = tag.indexOf('/');
  return { bucket: tag.slice(0, slash), prefix: tag.slice(slash + 1) };
}

/** Passes a function of this package's on. Throws `function-not-found` for one that somebody else made. */
export function requireOurs<Details extends { facts: FunctionFacts; tags: Record<string, string> }>(
  details: Details,
): Details {
  if (isOurs(details.tags)) return details;
  const { name } = details.facts;
  throw new FunctionError(
    'function-not-found',
    `Function ${name} should be one of this package's (tag createdby=scar), but it is not, and is left alone. ` +
      'Use what made it',
    { context: { functionName: name } },
  );
}

/** Whether this package made the function. */
export function isOurs(tags: Record<string, string>): boolean {
  const [name, value] = TAGS.createdBy;
  return tags[name] === value;
}

/**
 * What a tag may hold: at most 256 letters, digits, spaces and `+-=._:/@`
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html). The end of a long reference tells more.
 */
export function tagValue(value: string): string {
  return value.replace(/[^\p{L}\p{N} +\-=._:/@]/gu, '_').slice(-256);
}

import type { FunctionFacts } from '../aws/lambda.js';
import { TAGS } from '../contract/index.js';
import { containerVariables } from './function-options.js';

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

/** A tag of the client's own: bucket and prefix of the image's blobs, for whoever deletes the function. */
export const BLOBS_TAG = 'scar:blobs';

export function describe(facts: FunctionFacts, tags: Record<string, string>): FunctionDescription {
  return {
    name: facts.name,
    arn: facts.arn,
    state: facts.state,
    stateReason: facts.stateReason,
    image: { reference: tags[TAGS.image] ?? '', digest: tags[TAGS.digest] ?? '' },
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

import type {
  ListTagsRequest,
  ListTagsResponse,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-lambda';
import type { LambdaContext } from '../context.js';
import { errors } from '../errors.js';
import type { FunctionRecord } from '../function-record.js';
import { checkTags } from '../validation.js';
import { find } from './functions.js';

export function tagResource(lambda: LambdaContext, request: TagResourceRequest): object {
  const { name, tags } = tagged(lambda, request.Resource);
  const merged = { ...tags, ...request.Tags };
  checkTags(merged);
  lambda.functions.amend(name, (record) => ({ ...record, tags: merged }));
  return {};
}

export function untagResource(lambda: LambdaContext, request: UntagResourceRequest): object {
  const { name } = tagged(lambda, request.Resource);
  const gone = new Set(request.TagKeys);
  lambda.functions.amend(name, (record) => ({
    ...record,
    tags: Object.fromEntries(Object.entries(record.tags).filter(([key]) => !gone.has(key))),
  }));
  return {};
}

export function listTags(lambda: LambdaContext, request: ListTagsRequest): ListTagsResponse {
  return { Tags: { ...tagged(lambda, request.Resource).tags } };
}

/** Tags go by the function's ARN, and only by that. */
function tagged(lambda: LambdaContext, resource: string | undefined): FunctionRecord {
  if (!resource?.startsWith('arn:')) throw errors.invalidParameter(`${resource} is not a Lambda function ARN`);
  return find(lambda, resource);
}

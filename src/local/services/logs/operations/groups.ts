import type {
  CreateLogGroupRequest,
  DeleteLogGroupRequest,
  DeleteRetentionPolicyRequest,
  DescribeLogGroupsRequest,
  DescribeLogGroupsResponse,
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  PutRetentionPolicyRequest,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-cloudwatch-logs';
import type { OperationContext } from '../../../protocol/service.js';
import { groupName, groupOfArn, limitOf, pageOf } from '../arguments.js';
import { errors } from '../errors.js';
import type { LogGroup } from '../log-group.js';
import type { LogStore } from '../log-store.js';

/** The periods that CloudWatch knows, in days. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

const MAX_PAGE = 50;
const MAX_TAGS = 50;

export function createLogGroup(store: LogStore, request: CreateLogGroupRequest): object {
  if (request.kmsKeyId !== undefined) throw errors.unsupported('kmsKeyId');
  if (request.logGroupClass !== undefined && request.logGroupClass !== 'STANDARD') {
    throw errors.unsupported(`logGroupClass ${request.logGroupClass}`);
  }
  store.createGroup(groupName(request.logGroupName), checkTags(request.tags ?? {}));
  return {};
}

export function deleteLogGroup(store: LogStore, request: DeleteLogGroupRequest): object {
  store.deleteGroup(groupName(request.logGroupName));
  return {};
}

export function describeLogGroups(
  store: LogStore,
  request: DescribeLogGroupsRequest,
  context: OperationContext,
): DescribeLogGroupsResponse {
  const { logGroupNamePrefix: prefix, logGroupNamePattern: pattern } = request;
  if (prefix !== undefined && pattern !== undefined) {
    throw errors.invalid('LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.');
  }
  const groups = store
    .groups()
    .filter(({ facts }) => facts.name.startsWith(prefix ?? ''))
    .filter(({ facts }) => pattern === undefined || facts.name.toLowerCase().includes(pattern.toLowerCase()));
  const { page, ...next } = pageOf(
    groups,
    ({ facts }) => facts.name,
    limitOf(request.limit, MAX_PAGE),
    request.nextToken,
  );
  return { logGroups: page.map((group) => describe(group, context)), ...next };
}

export function putRetentionPolicy(store: LogStore, request: PutRetentionPolicyRequest): object {
  const group = store.group(groupName(request.logGroupName));
  const days = request.retentionInDays;
  if (days === undefined || !RETENTION_DAYS.includes(days)) {
    throw errors.constraint(
      days,
      'retentionInDays',
      `Member must satisfy enum value set: [${RETENTION_DAYS.join(', ')}]`,
    );
  }
  group.amend((facts) => ({ ...facts, retentionDays: days }));
  return {};
}

export function deleteRetentionPolicy(store: LogStore, request: DeleteRetentionPolicyRequest): object {
  store.group(groupName(request.logGroupName)).amend(({ retentionDays: _, ...facts }) => facts);
  return {};
}

export function tagResource(store: LogStore, request: TagResourceRequest): object {
  const group = store.group(groupOfArn(request.resourceArn ?? ''));
  const tags = checkTags({ ...group.facts.tags, ...request.tags });
  group.amend((facts) => ({ ...facts, tags }));
  return {};
}

export function untagResource(store: LogStore, request: UntagResourceRequest): object {
  const gone = new Set(request.tagKeys);
  store.group(groupOfArn(request.resourceArn ?? '')).amend((facts) => ({
    ...facts,
    tags: Object.fromEntries(Object.entries(facts.tags).filter(([key]) => !gone.has(key))),
  }));
  return {};
}

export function listTagsForResource(store: LogStore, request: ListTagsForResourceRequest): ListTagsForResourceResponse {
  return { tags: { ...store.group(groupOfArn(request.resourceArn ?? '')).facts.tags } };
}

function describe(group: LogGroup, { region, accountId }: OperationContext) {
  const { name, created, retentionDays } = group.facts;
  const arn = `arn:aws:logs:${region}:${accountId}:log-group:${name}`;
  return {
    logGroupName: name,
    creationTime: created,
    ...(retentionDays === undefined ? {} : { retentionInDays: retentionDays }),
    metricFilterCount: 0,
    arn: `${arn}:*`,
    logGroupArn: arn,
    storedBytes: group.storedBytes,
    logGroupClass: 'STANDARD' as const,
  };
}

function checkTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const count = Object.keys(tags).length;
  if (count > MAX_TAGS) throw errors.invalid(`A log group has at most ${MAX_TAGS} tags; this would be ${count}`);
  return tags;
}

import type {
  CreateLogStreamRequest,
  DeleteLogStreamRequest,
  DescribeLogStreamsRequest,
  DescribeLogStreamsResponse,
} from '@aws-sdk/client-cloudwatch-logs';
import type { OperationContext } from '../../../protocol/service.js';
import { groupName, groupOf, limitOf, pageOf, streamName } from '../arguments.js';
import { errors } from '../errors.js';
import type { LogGroup, LogStream } from '../log-group.js';
import type { LogStore } from '../log-store.js';

const MAX_PAGE = 50;

/** @throws ServiceError `ResourceNotFoundException` */
export function findStream(group: LogGroup, name: string | undefined): LogStream {
  const stream = group.stream(streamName(name));
  if (!stream) throw errors.noStream();
  return stream;
}

export function createLogStream(store: LogStore, request: CreateLogStreamRequest): object {
  const group = store.group(groupName(request.logGroupName));
  const name = streamName(request.logStreamName);
  if (group.stream(name)) throw errors.streamExists();
  group.createStream(name);
  return {};
}

export function deleteLogStream(store: LogStore, request: DeleteLogStreamRequest): object {
  const group = store.group(groupName(request.logGroupName));
  group.deleteStream(findStream(group, request.logStreamName));
  return {};
}

export function describeLogStreams(
  store: LogStore,
  request: DescribeLogStreamsRequest,
  context: OperationContext,
): DescribeLogStreamsResponse {
  const group = store.group(groupOf(request));
  const { orderBy = 'LogStreamName', logStreamNamePrefix: prefix } = request;
  if (orderBy === 'LastEventTime' && prefix !== undefined) {
    throw errors.invalid('Cannot order by LastEventTime with a logStreamNamePrefix.');
  }
  const streams = group.streams().filter(({ name }) => name.startsWith(prefix ?? ''));
  const byName = (a: LogStream, b: LogStream) => (a.name < b.name ? -1 : 1);
  const byTime = (a: LogStream, b: LogStream) => (a.lastTimestamp ?? 0) - (b.lastTimestamp ?? 0) || byName(a, b);
  streams.sort(orderBy === 'LastEventTime' ? byTime : byName);
  if (request.descending) streams.reverse();
  const { page, ...next } = pageOf(streams, ({ name }) => name, limitOf(request.limit, MAX_PAGE), request.nextToken);
  return { logStreams: page.map((stream) => describe(group, stream, context)), ...next };
}

function describe(group: LogGroup, stream: LogStream, { region, accountId }: OperationContext) {
  return {
    logStreamName: stream.name,
    creationTime: stream.created,
    firstEventTimestamp: stream.firstTimestamp,
    lastEventTimestamp: stream.lastTimestamp,
    lastIngestionTime: stream.lastIngestion,
    arn: `arn:aws:logs:${region}:${accountId}:log-group:${group.facts.name}:log-stream:${stream.name}`,
    // As CloudWatch has it since 2019.
    storedBytes: 0,
  };
}

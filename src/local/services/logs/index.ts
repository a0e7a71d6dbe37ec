import type { LogSink } from '../../environment/log-sink.js';
import type { Operation, OperationContext, Service } from '../../protocol/service.js';
import { LogStore } from './log-store.js';
import { filterLogEvents, getLogEvents, putLogEvents } from './operations/events.js';
import {
  createLogGroup,
  deleteLogGroup,
  deleteRetentionPolicy,
  describeLogGroups,
  listTagsForResource,
  putRetentionPolicy,
  tagResource,
  untagResource,
} from './operations/groups.js';
import { startLiveTail } from './operations/live-tail.js';
import { createLogStream, deleteLogStream, describeLogStreams } from './operations/streams.js';

/** The engine's CloudWatch Logs. */
export interface Logs {
  readonly service: Service;
  /** Where the output of functions goes. */
  readonly sink: LogSink;
  /** Lets go of all files. */
  close(): void;
}

/**
 * CloudWatch Logs over a folder of its own.
 *
 * @param onError - told when output of a function cannot be written
 */
export function openLogs(folder: string, onError: (error: unknown) => void): Logs {
  const store = new LogStore(folder, onError);
  return { service: createService(store), sink: store, close: () => store.close() };
}

function createService(store: LogStore): Service {
  const bind =
    <Input>(run: (store: LogStore, input: Input, context: OperationContext) => Promise<object> | object): Operation =>
    (input: Input, context) =>
      run(store, input, context);
  return {
    name: 'logs',
    protocol: 'json-1.1',
    schemas: () => import('@aws-sdk/client-cloudwatch-logs'),
    operations: {
      CreateLogGroup: bind(createLogGroup),
      DeleteLogGroup: bind(deleteLogGroup),
      DescribeLogGroups: bind(describeLogGroups),
      PutRetentionPolicy: bind(putRetentionPolicy),
      DeleteRetentionPolicy: bind(deleteRetentionPolicy),
      TagResource: bind(tagResource),
      UntagResource: bind(untagResource),
      ListTagsForResource: bind(listTagsForResource),
      CreateLogStream: bind(createLogStream),
      DeleteLogStream: bind(deleteLogStream),
      DescribeLogStreams: bind(describeLogStreams),
      PutLogEvents: bind(putLogEvents),
      GetLogEvents: bind(getLogEvents),
      FilterLogEvents: bind(filterLogEvents),
      StartLiveTail: bind(startLiveTail),
    },
  };
}

import type {
  LiveTailSessionLogEvent,
  StartLiveTailRequest,
  StartLiveTailResponse,
  StartLiveTailResponseStream,
} from '@aws-sdk/client-cloudwatch-logs';
import { sleep } from '../../../../util/sleep.js';
import { type OperationContext, ServiceError } from '../../../protocol/service.js';
import { groupOfArn, streamName } from '../arguments.js';
import { errors } from '../errors.js';
import { parseFilterPattern } from '../filter-pattern.js';
import type { AppendedEvents, LogGroup } from '../log-group.js';
import type { LogStore } from '../log-store.js';

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html */
const MAX_GROUPS = 10;
const MAX_STREAMS = 10;
const MAX_UPDATE_EVENTS = 500;
const MAX_WAITING_EVENTS = 5_000;
const SESSION_MS = 3 * 60 * 60 * 1000;

/** Live Tail sessions of an account at once: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html */
const MAX_SESSIONS = 15;

/** CloudWatch sends an update every second; what waits for it here need not wait as long. */
const UPDATE_MS = 200;

/** What a session looks for. */
interface Tail {
  readonly groups: readonly LogGroup[];
  wants(stream: string, message: string): boolean;
}

/** Events that arrive in the groups from now on, until the client goes away or three hours are over. */
export function startLiveTail(
  store: LogStore,
  request: StartLiveTailRequest,
  context: OperationContext,
): StartLiveTailResponse {
  const tail = readRequest(store, request);
  if (store.liveTails >= MAX_SESSIONS) {
    throw new ServiceError('LimitExceededException', 400, `There are ${MAX_SESSIONS} Live Tail sessions already.`);
  }
  return { responseStream: session(store, tail, request, context) };
}

function readRequest(store: LogStore, request: StartLiveTailRequest): Tail {
  const { logGroupIdentifiers: identifiers = [], logStreamNames: names, logStreamNamePrefixes: prefixes } = request;
  if (identifiers.length < 1 || identifiers.length > MAX_GROUPS) {
    const constraint = `Member must have length between 1 and ${MAX_GROUPS}`;
    throw errors.constraint(identifiers.length, 'logGroupIdentifiers', constraint);
  }
  if (names && prefixes) throw errors.invalid('logStreamNames and logStreamNamePrefixes cannot both be specified');
  if ((names ?? prefixes) && identifiers.length > 1) {
    throw errors.invalid('Streams can be chosen only with one log group');
  }
  for (const list of [names, prefixes]) {
    if (list && list.length > MAX_STREAMS) throw errors.invalid(`At most ${MAX_STREAMS} streams can be chosen`);
    for (const name of list ?? []) streamName(name);
  }
  const matches = parseFilterPattern(request.logEventFilterPattern ?? '');
  return {
    groups: identifiers.map((identifier) => store.group(groupOfArn(identifier))),
    wants: (stream, message) =>
      (names?.includes(stream) ?? prefixes?.some((prefix) => stream.startsWith(prefix)) ?? true) && matches(message),
  };
}

async function* session(
  store: LogStore,
  tail: Tail,
  request: StartLiveTailRequest,
  { requestId, signal, region, accountId }: OperationContext,
): AsyncGenerator<StartLiveTailResponseStream, undefined> {
  const waiting: LiveTailSessionLogEvent[] = [];
  let dropped = false;
  const add = (group: LogGroup) => (stream: string, ingestionTime: number, events: AppendedEvents) => {
    const logGroupIdentifier = `${accountId}:${group.facts.name}`;
    for (const { timestamp, message } of events) {
      if (!tail.wants(stream, message)) continue;
      waiting.push({ logStreamName: stream, logGroupIdentifier, message, timestamp, ingestionTime });
    }
    const surplus = waiting.length - MAX_WAITING_EVENTS;
    if (surplus <= 0) return;
    waiting.splice(0, surplus);
    dropped = true;
  };
  const unwatch = tail.groups.map((group) => group.watch(add(group)));
  store.liveTails++;
  try {
    const endsAt = Date.now() + SESSION_MS;
    const logGroupIdentifiers = tail.groups.map(
      ({ facts }) => `arn:aws:logs:${region}:${accountId}:log-group:${facts.name}`,
    );
    yield { sessionStart: { ...request, requestId, sessionId: requestId, logGroupIdentifiers } };
    for (;;) {
      await sleep(UPDATE_MS, signal);
      if (Date.now() > endsAt) {
        throw new ServiceError('SessionTimeoutException', 400, 'The session has been open for three hours.');
      }
      const sampled = dropped || waiting.length > MAX_UPDATE_EVENTS;
      const sessionResults = waiting.splice(0).slice(-MAX_UPDATE_EVENTS);
      dropped = false;
      yield { sessionUpdate: { sessionMetadata: { sampled }, sessionResults } };
    }
  } finally {
    store.liveTails--;
    for (const end of unwatch) end();
  }
}

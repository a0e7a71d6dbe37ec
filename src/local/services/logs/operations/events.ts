import type {
  FilterLogEventsRequest,
  FilterLogEventsResponse,
  GetLogEventsRequest,
  GetLogEventsResponse,
  InputLogEvent,
  PutLogEventsRequest,
  PutLogEventsResponse,
} from '@aws-sdk/client-cloudwatch-logs';
import { groupName, groupOf, limitOf } from '../arguments.js';
import { errors } from '../errors.js';
import { parseFilterPattern } from '../filter-pattern.js';
import type { StoredEvent } from '../group-file.js';
import type { LogGroup } from '../log-group.js';
import type { LogStore } from '../log-store.js';
import { findStream } from './streams.js';

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html */
const MAX_BATCH_BYTES = 1_048_576;
const MAX_BATCH_EVENTS = 10_000;
const EVENT_OVERHEAD_BYTES = 26;
const HOUR_MS = 60 * 60 * 1000;
const MAX_FUTURE_MS = 2 * HOUR_MS;
const MAX_PAST_MS = 14 * 24 * HOUR_MS;
const MAX_SPAN_MS = 24 * HOUR_MS;

/** A page of events: so many, or so many bytes of messages. */
const MAX_PAGE_EVENTS = 10_000;
const MAX_PAGE_BYTES = 1024 * 1024;

/** A search answers after so many bytes of events at the latest, with what it found: perhaps an empty page. */
const MAX_SEARCH_BYTES = 16 * 1024 * 1024;

export function putLogEvents(store: LogStore, request: PutLogEventsRequest): PutLogEventsResponse {
  const group = store.group(groupName(request.logGroupName));
  const stream = findStream(group, request.logStreamName);
  const events = checkBatch(request.logEvents ?? []);
  const now = Date.now();
  const oldest = now - MAX_PAST_MS;
  const firstKept = events.findIndex((event) => event.timestamp >= oldest);
  const tooOld = firstKept === -1 ? events.filter((event) => event.timestamp < oldest).length : firstKept;
  const tooNew = events.findIndex((event) => event.timestamp > now + MAX_FUTURE_MS);
  const accepted = events.slice(tooOld, tooNew === -1 ? undefined : tooNew);
  if (accepted.length > 0) group.append(stream, accepted);
  const rejected = {
    ...(tooOld > 0 ? { tooOldLogEventEndIndex: tooOld } : {}),
    ...(tooNew === -1 ? {} : { tooNewLogEventStartIndex: tooNew }),
  };
  return {
    nextSequenceToken: String(group.storedBytes).padStart(56, '0'),
    ...(Object.keys(rejected).length > 0 ? { rejectedLogEventsInfo: rejected } : {}),
  };
}

function checkBatch(batch: readonly InputLogEvent[]): { timestamp: number; message: string }[] {
  if (batch.length < 1)
    throw errors.constraint('[]', 'logEvents', 'Member must have length greater than or equal to 1');
  if (batch.length > MAX_BATCH_EVENTS) {
    throw errors.constraint('[...]', 'logEvents', `Member must have length less than or equal to ${MAX_BATCH_EVENTS}`);
  }
  const events = batch.map(({ timestamp = 0, message = '' }) => ({ timestamp, message }));
  if (events.some(({ message }) => message === '')) {
    throw errors.constraint('', 'logEvents.message', 'Member must have length greater than or equal to 1');
  }
  const bytes = events.reduce((sum, { message }) => sum + Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES, 0);
  if (bytes > MAX_BATCH_BYTES) {
    throw errors.invalid(`Upload too large: ${bytes} bytes exceeds limit of ${MAX_BATCH_BYTES}`);
  }
  if (events.some((event, index) => index > 0 && event.timestamp < (events[index - 1]?.timestamp ?? 0))) {
    throw errors.invalid('Log events in a single PutLogEvents request must be in chronological order.');
  }
  if ((events.at(-1)?.timestamp ?? 0) - (events[0]?.timestamp ?? 0) > MAX_SPAN_MS) {
    throw errors.invalid('The batch of log events in a single PutLogEvents request cannot span more than 24 hours.');
  }
  return events;
}

/**
 * A page of one stream: events with a timestamp equal to or later than the end time are not included
 * (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html). Without a token, the newest events or, from the head, the oldest. The tokens lead on from both
 * ends of the page; at an end of the stream the token that comes back is the one that was sent.
 */
export async function getLogEvents(store: LogStore, request: GetLogEventsRequest): Promise<GetLogEventsResponse> {
  const group = store.group(groupOf(request));
  const stream = findStream(group, request.logStreamName);
  const limit = limitOf(request.limit, MAX_PAGE_EVENTS);
  const token = request.nextToken === undefined ? undefined : parseToken(group, request.nextToken, /^[fb]$/);
  const backward = token ? token.direction === 'b' : !request.startFromHead;
  const query = group.visible({ streams: new Set([stream.id]), from: request.startTime, before: request.endTime });
  const position = token?.position ?? (backward ? group.file.size : 0);
  const source = backward ? group.file.backward(position, query) : group.file.forward(position, query);
  const { events } = await collect(source, limit);
  if (backward) events.reverse();
  return {
    events: byTime(events).map(({ timestamp, message, ingestionTime }) => ({ timestamp, message, ingestionTime })),
    nextForwardToken: formatToken(group, 'f', events.at(-1)?.next ?? position),
    nextBackwardToken: formatToken(group, 'b', events[0]?.offset ?? position),
  };
}

/**
 * Events of a group in the order of their arrival, sorted by time within each page. A page may be empty although more
 * follows, as CloudWatch's may.
 */
export async function filterLogEvents(
  store: LogStore,
  request: FilterLogEventsRequest,
): Promise<FilterLogEventsResponse> {
  const group = store.group(groupOf(request));
  const limit = limitOf(request.limit, MAX_PAGE_EVENTS);
  const matches = parseFilterPattern(request.filterPattern ?? '');
  const position = request.nextToken === undefined ? 0 : parseToken(group, request.nextToken, /^n$/).position;
  // Events with a timestamp later than this time are not returned: unlike in GetLogEvents, the end is included.
  // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
  const before = request.endTime === undefined ? undefined : request.endTime + 1;
  const query = group.visible({ streams: searched(group, request), from: request.startTime, before });
  const end = group.file.size;
  const { events, next } = await collect(group.file.forward(position, query), limit, (event) => matches(event.message));
  return {
    events: byTime(events).map((event) => ({
      logStreamName: group.streamName(event.streamId),
      timestamp: event.timestamp,
      message: event.message,
      ingestionTime: event.ingestionTime,
      eventId: `${String(event.timestamp).padStart(20, '0')}${String(event.offset).padStart(36, '0')}`,
    })),
    searchedLogStreams: [],
    ...(next === undefined || next >= end ? {} : { nextToken: formatToken(group, 'n', next) }),
  };
}

function searched(group: LogGroup, request: FilterLogEventsRequest): Set<number> | undefined {
  const { logStreamNames: names, logStreamNamePrefix: prefix } = request;
  if (names && prefix !== undefined) {
    throw errors.invalid('logStreamNames and logStreamNamePrefix cannot both be specified');
  }
  if (names) return new Set(names.map((name) => findStream(group, name).id));
  if (prefix === undefined) return undefined;
  return new Set(
    group
      .streams()
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ id }) => id),
  );
}

/**
 * Takes events until a page is full or the search has been long enough.
 *
 * @returns the page, and where to go on; undefined at the end of what there is
 */
async function collect(
  source: AsyncGenerator<StoredEvent>,
  limit: number,
  wanted: (event: StoredEvent) => boolean = () => true,
): Promise<{ events: StoredEvent[]; next: number | undefined }> {
  const events: StoredEvent[] = [];
  let bytes = 0;
  let read = 0;
  for await (const event of source) {
    read += event.next - event.offset;
    if (wanted(event)) {
      bytes += Buffer.byteLength(event.message) + EVENT_OVERHEAD_BYTES;
      if (bytes > MAX_PAGE_BYTES && events.length > 0) return { events, next: event.offset };
      events.push(event);
    }
    if (events.length >= limit || read >= MAX_SEARCH_BYTES) return { events, next: event.next };
  }
  return { events, next: undefined };
}

const byTime = (events: readonly StoredEvent[]): StoredEvent[] =>
  [...events].sort((a, b) => a.timestamp - b.timestamp || a.offset - b.offset);

function formatToken(group: LogGroup, direction: 'f' | 'b' | 'n', position: number): string {
  return `${direction}/${group.file.generation}${String(position).padStart(20, '0')}`;
}

function parseToken(group: LogGroup, token: string, directions: RegExp): { direction: string; position: number } {
  const [, direction = '', generation, position] = /^([fbn])\/([0-9a-f]{12})(\d{20})$/.exec(token) ?? [];
  if (!directions.test(direction) || generation !== group.file.generation) throw errors.invalidToken();
  return { direction, position: Number(position) };
}

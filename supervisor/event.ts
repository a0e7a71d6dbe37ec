import {
  decodeEventKey,
  type InputObject,
  type InvocationEvent,
  type InvocationOptions,
  type OutputTarget,
  type ResultsLocation,
  type S3EventRecord,
} from '../src/contract/index.js';
import { type Chunk, parseChunk } from './chunk.js';
import { Failure } from './failure.js';

/** One container's part of an event. */
export interface EventRecord {
  /** The object to stage in; absent for a direct invocation. */
  input?: InputObject;
  /** The part of it to stage in; absent: all of it. */
  chunk?: Chunk;
  /** Objects to stage in side by side, in place of one. */
  gathered?: InputObject[];
  eventTime?: string;
  /** The event as the container sees it: with this record only, as if it had come alone. */
  event: InvocationEvent;
  /** What it is answered under, once. */
  idempotencyKey?: string;
  /** Set if the record is none that a container can be run for. */
  refusal?: Failure;
}

export interface ParsedEvent {
  options: InvocationOptions;
  /** Whether the sender reads the response: the event has a `scar` member. */
  answered: boolean;
  /** One per container. Empty for S3's test event, and for a preheat. */
  records: EventRecord[];
}

/**
 * Reads an event. A record that cannot be served comes back with its refusal, so that the others are; an event that is
 * none of ours is a `Failure` of reason `event`.
 */
export function parseEvent(event: unknown): ParsedEvent {
  const body = event ?? {};
  if (!isObject(body)) throw refused(`must be a JSON object; received ${JSON.stringify(event)}`);
  if (body.Event === 's3:TestEvent') return { options: { version: 1 }, answered: false, records: [] };
  const answered = body.scar !== undefined;
  const options = parseOptions(body.scar);
  const foreign = Object.keys(body).filter((name) => name !== 'Records' && name !== 'scar');
  if (foreign.length > 0 && body.Records === undefined && !answered) throw refused(describeForeign(body, foreign));
  const records = parseRecords(body, options);
  assignKeys(records, options);
  return { options, answered, records };
}

/** Whether the sender of an event, even of a broken one, reads the response: with `results` perhaps only what is kept there. */
export function isAnswered(event: unknown): boolean {
  return isObject(event) && event.scar !== undefined && !(isObject(event.scar) && event.scar.results !== undefined);
}

function parseRecords(body: Record<string, unknown>, { action, gather }: InvocationOptions): EventRecord[] {
  if (body.Records === undefined) return action === 'preheat' ? [] : [{ event: body as InvocationEvent }];
  if (!Array.isArray(body.Records) || body.Records.length === 0) {
    throw refused(`needs at least one record in Records; received ${JSON.stringify(body.Records)}`);
  }
  const records = body.Records.map((record: unknown) => parseRecord(body, record));
  return gather ? [gatherRecords(body, records)] : records;
}

/** One container for all; it cannot be run where one of its inputs cannot be had. */
function gatherRecords(body: Record<string, unknown>, records: readonly EventRecord[]): EventRecord {
  const gathered = records.flatMap(({ input }) => input ?? []);
  const chunk = records.find((record) => record.chunk);
  const refusal = chunk ? refused('must not have chunks with scar.gather') : records.find(isRefused)?.refusal;
  return { event: body as InvocationEvent, gathered, ...(refusal && { refusal }) };
}

function isRefused({ refusal }: EventRecord): boolean {
  return refusal !== undefined;
}

function assignKeys(records: EventRecord[], { idempotencyKeys: keys, results }: InvocationOptions): void {
  if (!keys) {
    if (results) throw refused('must have scar.idempotencyKeys with scar.results: answers are kept under them');
    return;
  }
  if (keys.length !== records.length) {
    throw refused(
      `must have one of scar.idempotencyKeys for each of ${records.length} records; received ${keys.length}`,
    );
  }
  for (const [index, record] of records.entries()) {
    const key = keys[index] as string;
    record.idempotencyKey = key;
    // The container's event is as if its record had come alone.
    record.event = { ...record.event, scar: { ...(record.event.scar as InvocationOptions), idempotencyKeys: [key] } };
  }
}

function parseRecord(body: Record<string, unknown>, record: unknown): EventRecord {
  const event = { ...body, Records: [record] } as InvocationEvent;
  if (!isObject(record) || record.eventSource !== 'aws:s3') {
    const source = isObject(record) ? (record.eventSource ?? record.EventSource) : record;
    return {
      event,
      refusal: refused(`must come from S3 (eventSource aws:s3); received a record of ${JSON.stringify(source)}`),
    };
  }
  const { s3, eventName = '', eventTime, scar } = record as Partial<S3EventRecord>;
  const bucket = s3?.bucket?.name;
  const { key, size, versionId, ...object } = s3?.object ?? {};
  if (typeof bucket !== 'string' || typeof key !== 'string') {
    return { event, refusal: refused('must name s3.bucket.name and s3.object.key in each record') };
  }
  const input: InputObject = { bucket, key };
  if (size !== undefined) input.bytes = size;
  if (versionId !== undefined) input.versionId = versionId;
  const parsed: EventRecord = { event, input, ...(eventTime !== undefined && { eventTime }) };
  try {
    input.key = decodeEventKey(key);
  } catch {
    parsed.refusal = refused(`has a key that is not URL-encoded: ${JSON.stringify(key)}`);
  }
  if (/^(s3:)?(ObjectRemoved|LifecycleExpiration|ReducedRedundancyLostObject)\b/.test(eventName)) {
    parsed.refusal = refused(
      `must be about an object that exists; received ${eventName} for s3://${bucket}/${input.key}. ` +
        'Restrict the bucket notification to s3:ObjectCreated:*',
    );
  }
  if (scar?.chunk !== undefined) {
    const chunk = parseChunk(scar.chunk, { size, ...object });
    if (typeof chunk === 'string') parsed.refusal ??= refused(`has a record whose scar.chunk must ${chunk}`);
    else {
      parsed.chunk = chunk;
      input.chunk = { index: chunk.index, count: chunk.count };
    }
  }
  return parsed;
}

const KEYS_RULE = 'be an array of different strings, each of 1 to 256 characters of A-Z a-z 0-9 . _ = -';

function parseOptions(scar: unknown): InvocationOptions {
  if (scar === undefined) return { version: 1 };
  if (!isObject(scar) || scar.version !== 1) {
    throw refused(`must have scar.version 1; received ${JSON.stringify(isObject(scar) ? scar.version : scar)}`);
  }
  const { action, script, args, environment, output, gather, holdMs, idempotencyKeys, results } = scar;
  const rules: [string, boolean, string, unknown][] = [
    ['action', action === undefined || action === 'run' || action === 'preheat', 'be run or preheat', action],
    ['script', script === undefined || typeof script === 'string', 'be a string', script],
    ['args', args === undefined || isStringArray(args), 'be an array of strings', args],
    ['environment', environment === undefined || isStringRecord(environment), 'map names to strings', environment],
    ['output', output === undefined || isTargets(output), 'be an array of { bucket, prefix, suffixes? }', output],
    ['gather', gather === undefined || typeof gather === 'boolean', 'be true or false', gather],
    ['holdMs', holdMs === undefined || (typeof holdMs === 'number' && holdMs >= 0), 'be a number of ms', holdMs],
    ['idempotencyKeys', idempotencyKeys === undefined || areKeys(idempotencyKeys), KEYS_RULE, idempotencyKeys],
    ['results', results === undefined || isLocation(results), 'be { bucket, prefix }', results],
  ];
  for (const [name, holds, rule, received] of rules) {
    if (!holds) throw refused(`must follow the rule: scar.${name} must ${rule}; received ${JSON.stringify(received)}`);
  }
  return scar as unknown as InvocationOptions;
}

/** Says what other service's event it looks like, since those wrap S3's or have another shape. */
function describeForeign(body: Record<string, unknown>, names: string[]): string {
  let looksLike = '';
  if (body.source === 'aws.s3' || body['detail-type'] !== undefined) looksLike = ' (it looks like EventBridge)';
  else if (body.requestContext !== undefined) looksLike = ' (it looks like API Gateway or a function URL)';
  return (
    `must be an S3 notification or a direct invocation ({ "scar": { "version": 1 } }); ` +
    `received an object with ${names.slice(0, 8).join(', ')}${looksLike}`
  );
}

function refused(rule: string): Failure {
  return new Failure('event', `The event ${rule}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}

function areKeys(value: unknown): value is string[] {
  return (
    isStringArray(value) &&
    value.every((key) => /^[A-Za-z0-9._=-]{1,256}$/.test(key)) &&
    new Set(value).size === value.length
  );
}

function isLocation(value: unknown): value is ResultsLocation & Record<string, unknown> {
  return isObject(value) && typeof value.bucket === 'string' && typeof value.prefix === 'string';
}

function isTargets(value: unknown): value is OutputTarget[] {
  const isTarget = (item: unknown) => isLocation(item) && (item.suffixes === undefined || isStringArray(item.suffixes));
  return Array.isArray(value) && value.every(isTarget);
}

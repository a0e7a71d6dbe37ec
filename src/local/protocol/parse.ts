import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { NormalizedSchema } from '@smithy/core/schema';
import type { DocumentCodec } from './codec.js';
import { type Member, requiredMembers, type Shape } from './model.js';
import type { Match } from './router.js';
import { ServiceError } from './service.js';
import { decodeHeader, type RequestTarget } from './target.js';

/** A request whose body is at hand: collected, or a stream when the operation's payload streams. */
export interface ParsableRequest {
  readonly target: RequestTarget;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer | Readable;
}

/**
 * The input of an operation, in the shape that the SDK's command takes.
 *
 * @throws ServiceError when a member is missing or of the wrong type, or the document is malformed
 */
export async function parseInput(match: Match, request: ParsableRequest, codec: DocumentCodec): Promise<object> {
  const shape = match.model.input;
  const input: Record<string, unknown> = shape.hasDocument ? await parseDocument(shape, request.body, codec) : {};
  for (const member of shape.members) {
    const value = await parseMember(member, match, request, codec);
    if (value !== undefined) input[member.name] = value;
  }
  checkStructure(shape.schema, input, '', codec);
  return input;
}

async function parseDocument(
  shape: Shape,
  body: Buffer | Readable,
  codec: DocumentCodec,
): Promise<Record<string, unknown>> {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  const document = await codec.read(shape.schema, body);
  if (typeof document !== 'object' || document === null) {
    throw codec.mismatch('the body', 'a structure');
  }
  // Members of the document only: what belongs to path, query or headers cannot be overridden from the body.
  const read = document as Record<string, unknown>;
  const members = shape.members.filter((member) => member.location === 'body' && read[member.name] !== undefined);
  return Object.fromEntries(members.map((member) => [member.name, read[member.name]]));
}

async function parseMember(
  member: Member,
  match: Match,
  request: ParsableRequest,
  codec: DocumentCodec,
): Promise<unknown> {
  switch (member.location) {
    case 'label':
      return match.labels[member.name];
    case 'query': {
      if (member.schema.isListSchema()) {
        const values = request.target.query.filter(([name]) => name === member.wireName).map(([, value]) => value);
        return values.length > 0 ? values : undefined;
      }
      const value = request.target.parameters.get(member.wireName);
      return value === undefined ? undefined : parseText(member, value);
    }
    case 'query-params':
      return Object.fromEntries(request.target.parameters);
    case 'header':
      return parseHeader(member, request.headers[member.wireName]);
    case 'prefix-headers':
      return prefixedHeaders(member.wireName, request.headers);
    case 'payload':
      return parsePayload(member, request.body, codec);
    default:
      return undefined;
  }
}

function parseHeader(member: Member, header: string | string[] | undefined): unknown {
  if (header === undefined) return undefined;
  const text = decodeHeader(Array.isArray(header) ? header.join(',') : header);
  if (member.schema.isListSchema()) return text.split(',').map((part) => part.trim());
  return parseText(member, text);
}

function prefixedHeaders(prefix: string, headers: IncomingHttpHeaders): Record<string, string> | undefined {
  const names = Object.keys(headers).filter((name) => name.startsWith(prefix));
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name.slice(prefix.length), decodeHeader(String(headers[name]))]));
}

async function parsePayload(member: Member, body: Buffer | Readable, codec: DocumentCodec): Promise<unknown> {
  if (!Buffer.isBuffer(body)) return body;
  if (!member.schema.isStructSchema()) return member.schema.isStringSchema() ? body.toString('utf8') : body;
  return body.length === 0 ? undefined : codec.read(member.schema, body);
}

/** The value of a member that travels as text. */
function parseText(member: Member, text: string): unknown {
  const { schema } = member;
  if (schema.isNumericSchema()) {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) throw notA(member.wireName, 'number', text);
    return value;
  }
  if (schema.isBooleanSchema()) {
    if (text !== 'true' && text !== 'false') throw notA(member.wireName, 'boolean', text);
    return text === 'true';
  }
  if (schema.isTimestampSchema()) {
    // A date that cannot be read is no condition: RFC 9110 section 13.1.3 has the recipient ignore the field.
    const value = new Date(text);
    return Number.isNaN(value.getTime()) ? undefined : value;
  }
  return text;
}

function notA(name: string, type: string, received: string): ServiceError {
  return new ServiceError('InvalidArgument', 400, `${name} must be a ${type}; received ${JSON.stringify(received)}`, {
    fields: { ArgumentName: name, ArgumentValue: received },
  });
}

/** The codecs pass on what they find: here it meets the schema. Unknown members have been dropped before. */
function checkStructure(schema: NormalizedSchema, value: Record<string, unknown>, path: string, codec: DocumentCodec) {
  for (const name of requiredMembers(schema)) {
    if (value[name] === undefined || value[name] === null) {
      throw codec.missing(path + name.charAt(0).toLowerCase() + name.slice(1));
    }
  }
  for (const [name, member] of schema.structIterator()) {
    const found = value[name];
    if (found !== undefined && found !== null) checkValue(member, found, path + name, codec);
  }
}

function checkValue(schema: NormalizedSchema, value: unknown, path: string, codec: DocumentCodec): void {
  if (schema.isStructSchema()) {
    if (schema.isStreaming()) return;
    if (!isRecord(value)) throw codec.mismatch(path, 'a structure');
    checkStructure(schema, value, `${path}.`, codec);
  } else if (schema.isListSchema()) {
    if (!Array.isArray(value)) throw codec.mismatch(path, 'a list');
    const element = schema.getValueSchema();
    for (const [index, item] of value.entries()) checkValue(element, item, `${path}.${index + 1}.member`, codec);
  } else if (schema.isMapSchema()) {
    if (!isRecord(value)) throw codec.mismatch(path, 'a map');
    const element = schema.getValueSchema();
    for (const [key, item] of Object.entries(value)) checkValue(element, item, `${path}.${key}`, codec);
  } else if (schema.isStringSchema() && typeof value !== 'string') throw codec.mismatch(path, 'a string');
  else if (schema.isNumericSchema() && typeof value !== 'number') throw codec.mismatch(path, 'a number');
  else if (schema.isBooleanSchema() && typeof value !== 'boolean') throw codec.mismatch(path, 'a boolean');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

import { Readable } from 'node:stream';
import type { DocumentCodec } from './codec.js';
import { EVENT_STREAM_TYPE, eventStreamBody } from './event-stream.js';
import { describeError, type Member, type Shape } from './model.js';
import { type Protocol, RawReply, type Schemas, type ServiceError } from './service.js';

/** What goes back over HTTP. */
export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer | Readable | undefined;
}

/** Serialises the output of an operation. */
export function serialiseOutput(shape: Shape, output: object, status: number, codec: DocumentCodec): Reply {
  if (output instanceof RawReply) {
    return { status, headers: { 'content-type': output.contentType }, body: Buffer.from(output.body) };
  }
  const values = output as Record<string, unknown>;
  const bound = bindHeaders(shape, values);
  const reply = { status: bound.status ?? status, headers: bound.headers };
  if (shape.events) {
    reply.headers['content-type'] = EVENT_STREAM_TYPE;
    const events = values[shape.events.name] as AsyncIterable<object>;
    return { ...reply, body: eventStreamBody(shape, shape.events, events, codec) };
  }
  if (shape.payload) return { ...reply, body: serialisePayload(shape.payload, values, reply.headers, codec) };
  // JSON services answer `{}` to an operation without output, but not with a status that forbids a body.
  const empty = codec.contentType === 'application/xml' ? !shape.hasDocument : reply.status === 204;
  if (empty) return { ...reply, body: undefined };
  reply.headers['content-type'] ??= codec.contentType;
  if (!shape.schema.isStructSchema()) return { ...reply, body: Buffer.from('{}') };
  const document = shape.members.filter((member) => member.location === 'body');
  const body = Object.fromEntries(document.map((member) => [member.name, values[member.name]]));
  return { ...reply, body: codec.write(shape.schema, body) };
}

function bindHeaders(shape: Shape, values: Record<string, unknown>) {
  const headers: Record<string, string> = {};
  let status: number | undefined;
  for (const member of shape.members) {
    const value = values[member.name];
    if (value === undefined || value === null) continue;
    if (member.location === 'header') headers[member.wireName] = headerText(value);
    else if (member.location === 'status') status = value as number;
    else if (member.location === 'prefix-headers') {
      for (const [name, text] of Object.entries(value)) headers[member.wireName + name] = headerText(text);
    }
  }
  return { headers, status };
}

/** A date in a header has the HTTP form; text beyond Latin-1 travels as the bytes of its UTF-8. */
function headerText(value: unknown): string {
  if (value instanceof Date) return value.toUTCString();
  if (Array.isArray(value)) return value.map(headerText).join(', ');
  return Buffer.from(String(value), 'utf8').toString('latin1');
}

function serialisePayload(
  member: Member,
  values: Record<string, unknown>,
  headers: Record<string, string>,
  codec: DocumentCodec,
): Buffer | Readable | undefined {
  const value = values[member.name];
  if (value === undefined || value === null) return undefined;
  if (value instanceof Readable) {
    headers['content-type'] ??= 'application/octet-stream';
    return value;
  }
  if (typeof value === 'string' || ArrayBuffer.isView(value)) {
    headers['content-type'] ??= 'application/octet-stream';
    return typeof value === 'string'
      ? Buffer.from(value)
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  headers['content-type'] ??= codec.contentType;
  return codec.write(member.schema, value);
}

/** Serialises an error in the way of the service's protocol, so that the SDK throws the exception of that name. */
export function serialiseError(
  service: { readonly protocol: Protocol; readonly schemas: Schemas },
  error: ServiceError,
  requestId: string,
  resource: string,
): Reply {
  const shape = describeError(service.schemas, error.name);
  const headers: Record<string, string> = { ...error.headers };
  const fields: Record<string, unknown> = { ...error.fields };
  for (const member of shape?.members ?? []) {
    if (member.location !== 'header' || fields[member.name] === undefined) continue;
    headers[member.wireName] = headerText(fields[member.name]);
    delete fields[member.name];
  }
  const write = service.protocol === 'rest-xml' ? xmlError : jsonError;
  return write({ protocol: service.protocol, shape, error, fields, headers, requestId, resource });
}

interface ErrorParts {
  readonly protocol: Protocol;
  readonly shape: Shape | undefined;
  readonly error: ServiceError;
  readonly fields: Record<string, unknown>;
  readonly headers: Record<string, string>;
  readonly requestId: string;
  readonly resource: string;
}

function jsonError({ protocol, shape, error, fields, headers }: ErrorParts): Reply {
  // Some of Lambda's shapes call it `Message`.
  const messageName = shape?.members.find((member) => member.name.toLowerCase() === 'message')?.name ?? 'message';
  const body: Record<string, unknown> = { ...fields, [messageName]: error.message };
  if (protocol === 'json-1.1') body.__type = error.name;
  else headers['x-amzn-errortype'] = error.name;
  headers['content-type'] = protocol === 'json-1.1' ? 'application/x-amz-json-1.1' : 'application/json';
  return { status: error.status, headers, body: Buffer.from(JSON.stringify(body)) };
}

function xmlError({ error, fields, headers, requestId, resource }: ErrorParts): Reply {
  headers['content-type'] = 'application/xml';
  const elements: Record<string, unknown> = {
    Code: error.name,
    Message: error.message,
    ...fields,
    Resource: fields.Resource ?? resource,
    RequestId: requestId,
  };
  const text = Object.entries(elements).map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`);
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${text.join('')}</Error>`;
  return { status: error.status, headers, body: Buffer.from(body) };
}

const XML_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for an XML element. Control characters become references, as S3 writes them, though XML 1.0 has no room for most. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"\p{Cc}]/gu, (character) => {
    return XML_ESCAPES[character] ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`;
  });
}

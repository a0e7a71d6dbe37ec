import { Readable } from 'node:stream';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { fromUtf8, toUtf8 } from '@smithy/core/serde';
import type { DocumentCodec } from './codec.js';
import type { Member, Shape } from './model.js';
import { ServiceError } from './service.js';

export const EVENT_STREAM_TYPE = 'application/vnd.amazon.eventstream';

const frames = new EventStreamCodec(toUtf8, fromUtf8);

/**
 * A body of events in frames (https://smithy.io/2.0/aws/amazon-eventstream.html). The operation gives what the SDK's client
 * gets: objects with one member of the union, its name the event's. A `ServiceError` that it throws ends the stream as an
 * exception, which the client throws while it iterates.
 */
export function eventStreamBody(
  shape: Shape,
  member: Member,
  events: AsyncIterable<object>,
  codec: DocumentCodec,
): Readable {
  return Readable.from(encode(shape, member, events, codec), { objectMode: false });
}

async function* encode(shape: Shape, member: Member, events: AsyncIterable<object>, codec: DocumentCodec) {
  const { contentType } = codec;
  // A protocol without bindings has nowhere else to put the output's other members: they come first.
  if (member.location === 'body') yield frame('event', 'initial-response', contentType, codec.write(shape.schema, {}));
  try {
    for await (const event of events) {
      for (const [name, value] of Object.entries(event)) {
        yield frame('event', name, contentType, codec.write(member.schema.getMemberSchema(name), value));
      }
    }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const body = Buffer.from(JSON.stringify({ ...error.fields, message: error.message }));
    yield frame('exception', error.name, 'application/json', body);
  }
}

function frame(kind: 'event' | 'exception', name: string, contentType: string, body: Uint8Array): Uint8Array {
  const text = (value: string) => ({ type: 'string' as const, value });
  const headers = {
    [`:${kind}-type`]: text(name),
    ':content-type': text(contentType),
    ':message-type': text(kind),
  };
  return frames.encode({ headers, body });
}

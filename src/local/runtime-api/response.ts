import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, replyAccepted, replyError } from './reply.js';
import { MAX_RESPONSE_BYTES, type RuntimeSession } from './session.js';

/** `POST /runtime/invocation/{id}/response`: the handler's result. */
export async function response(
  session: RuntimeSession,
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<void> {
  session.receive();
  const payload = await readBody(request);
  if (payload === undefined) {
    session.complete({ kind: 'too-large' });
    replyError(
      reply,
      413,
      'RequestEntityTooLarge',
      `Exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
    );
    return;
  }
  session.complete({ kind: 'response', payload });
  replyAccepted(reply);
}

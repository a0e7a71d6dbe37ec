import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorTypeOf, readBody, replyAccepted } from './reply.js';
import type { RuntimeSession } from './session.js';

/** `POST /runtime/invocation/{id}/error`: the handler threw. */
export async function error(session: RuntimeSession, request: IncomingMessage, reply: ServerResponse): Promise<void> {
  session.receive();
  const payload = await readBody(request);
  session.complete(
    payload === undefined
      ? { kind: 'too-large' }
      : { kind: 'error', errorType: errorTypeOf(request, payload), payload },
  );
  replyAccepted(reply);
}

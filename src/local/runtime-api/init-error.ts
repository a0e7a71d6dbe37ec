import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorTypeOf, readBody, replyAccepted } from './reply.js';
import type { RuntimeSession } from './session.js';

/** `POST /runtime/init/error`: the runtime could not start, e.g. the handler's module cannot be loaded. */
export async function initError(
  session: RuntimeSession,
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<void> {
  const payload = (await readBody(request)) ?? Buffer.from('{}');
  session.failInit(errorTypeOf(request, payload), payload);
  replyAccepted(reply);
}

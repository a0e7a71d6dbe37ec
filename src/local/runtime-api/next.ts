import type { ServerResponse } from 'node:http';
import type { RuntimeInvocation, RuntimeSession } from './session.js';

/** `GET /runtime/invocation/next`: answers when there is an event, however long that takes. */
export function next(session: RuntimeSession, response: ServerResponse): void {
  session.wait((invocation) => {
    response.writeHead(200, headersOf(invocation));
    response.end(invocation.payload);
  });
}

function headersOf(invocation: RuntimeInvocation): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    'Content-Type': 'application/json',
    'Content-Length': invocation.payload.byteLength,
    'Lambda-Runtime-Aws-Request-Id': invocation.requestId,
    'Lambda-Runtime-Deadline-Ms': invocation.deadlineMs,
    'Lambda-Runtime-Invoked-Function-Arn': invocation.functionArn,
    'Lambda-Runtime-Trace-Id': invocation.traceId,
  };
  if (invocation.clientContext !== undefined) headers['Lambda-Runtime-Client-Context'] = invocation.clientContext;
  return headers;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { MAX_RESPONSE_BYTES } from './session.js';

/** Answers with JSON, the only form the Runtime API has beside the event itself. */
export function replyJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** The error object of the Runtime API's specification. */
export function replyError(response: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  replyJson(response, status, { errorType, errorMessage });
}

/** `202 {"status":"OK"}`: an answer was taken. */
export function replyAccepted(response: ServerResponse): void {
  replyJson(response, 202, { status: 'OK' });
}

/**
 * Reads a body up to Lambda's response limit. What is above is read and dropped, so that the runtime gets our reply.
 * @returns undefined when it was too large
 */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_RESPONSE_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size > MAX_RESPONSE_BYTES) return undefined;
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/** The error's type: from the header that the specification names, or from the body. */
export function errorTypeOf(request: IncomingMessage, body: Buffer): string {
  const header = request.headers['lambda-runtime-function-error-type'];
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (
      parsed !== null &&
      typeof parsed === 'object' &&
      'errorType' in parsed &&
      typeof parsed.errorType === 'string'
    ) {
      return parsed.errorType;
    }
  } catch {
    // A runtime may post any text as its error; the header then says what it is.
  }
  return typeof header === 'string' ? header : 'Runtime.Unknown';
}

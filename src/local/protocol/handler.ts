import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readClaim, type SignatureClaim } from '../auth/claim.js';
import { AuthenticationError } from '../auth/errors.js';
import type { SignatureVerifier } from '../auth/sigv4.js';
import type { ChunkSigner } from './aws-chunked.js';
import { checkNoBody, collectBody, hasBody, RequestBody } from './body.js';
import { Exchange, type Surroundings } from './exchange.js';
import { parseInput } from './parse.js';
import { type Reply, serialiseError, serialiseOutput } from './reply.js';
import { ServedService } from './served-service.js';
import { type Service, ServiceError } from './service.js';
import { parseTarget, type RequestTarget } from './target.js';

export interface HandlerOptions extends Surroundings {
  readonly verifier: SignatureVerifier;
  readonly onError?: (error: unknown) => void;
}

/** Takes a request through its stages: host, signature, route, body, input, operation, reply. */
export class RequestHandler {
  private readonly services: ReadonlyMap<string, ServedService>;
  private readonly active = new Map<Exchange, Promise<void>>();
  private closing = false;

  constructor(
    services: readonly Service[],
    private readonly options: HandlerOptions,
  ) {
    this.services = new Map(services.map((service) => [service.name, new ServedService(service)]));
  }

  /** Never rejects: whatever goes wrong becomes a reply, or the end of the connection. */
  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const exchange = new Exchange(request, response, expectsContinue, this.options);
    const work = this.serve(exchange).catch((error) => {
      if (!exchange.signal.aborted) this.options.onError?.(error);
      response.destroy();
    });
    this.active.set(exchange, work);
    await work;
    this.active.delete(exchange);
  }

  /** Aborts what is under way and waits for it. */
  async close(): Promise<void> {
    this.closing = true;
    for (const exchange of this.active.keys()) exchange.abort(new Error('the engine is closing'));
    await Promise.all(this.active.values());
  }

  private async serve(exchange: Exchange): Promise<void> {
    let reply: Reply;
    try {
      reply = await this.answer(exchange);
    } catch (error) {
      reply = this.refuse(exchange, error);
    }
    await exchange.send(reply);
  }

  private async answer(exchange: Exchange): Promise<Reply> {
    const { request } = exchange;
    if (this.closing) throw new ServiceError('ServiceUnavailable', 503, 'The embedded engine is closing');
    checkHost(request);
    const method = request.method ?? 'GET';
    const target = parseTarget(request.url ?? '/');
    const claim = readClaim(target, request.headers);
    const served = this.serviceOf(claim);
    exchange.service = { name: served.service.name, protocol: served.service.protocol, schemas: {} };
    const collected = await this.authenticate(exchange, claim, method, target, served);
    exchange.service = { ...exchange.service, schemas: await served.load() };

    const match = served.route(method, target, request.headers);
    const operation = served.operation(match.model);
    const streams = match.model.input.payload?.streaming === true;
    const body = collected ?? (streams ? exchange.body : await collect(exchange, served));
    const input = await parseInput(match, { target, headers: request.headers, body: body ?? EMPTY }, served.codec);
    const output = await operation(input, exchange);
    return serialiseOutput(
      match.model.output,
      output,
      exchange.status ?? match.model.http?.status ?? 200,
      served.codec,
    );
  }

  private serviceOf(claim: SignatureClaim): ServedService {
    const served = this.services.get(claim.service);
    if (served) return served;
    throw new ServiceError(
      'NotImplemented',
      501,
      `The embedded engine does not implement the service ${claim.service}`,
    );
  }

  /**
   * Believes the signature, or throws. The body is opened here, as its chunks may be signed too. Returns the body when it
   * had to be read because the request does not give its hash.
   */
  private async authenticate(
    exchange: Exchange,
    claim: SignatureClaim,
    method: string,
    target: RequestTarget,
    served: ServedService,
  ): Promise<Buffer | undefined> {
    const { headers } = exchange.request;
    const verify = (payloadHash: string) =>
      this.options.verifier.verify(claim, { method, target, headers, payloadHash });
    const open = (signer?: ChunkSigner) => {
      exchange.body = new RequestBody(exchange.request, {
        onStart: () => exchange.proceed(),
        ...(signer && { signer }),
      });
    };
    const declared = declaredPayloadHash(claim, target, exchange.request);
    if (declared !== undefined) {
      open(verify(declared));
      return undefined;
    }
    if (claim.service === 's3') {
      throw new AuthenticationError(
        'missing-payload-hash',
        'Missing required header for this request: x-amz-content-sha256',
      );
    }
    open();
    const body = await collect(exchange, served);
    verify(createHash('sha256').update(body).digest('hex'));
    return body;
  }

  private refuse(exchange: Exchange, error: unknown): Reply {
    const resource = (exchange.request.url ?? '/').split('?', 1)[0] ?? '/';
    const serviceError = asServiceError(exchange, error);
    if (serviceError.status === 500 && error !== serviceError && !exchange.signal.aborted)
      this.options.onError?.(error);
    return serialiseError(exchange.service, serviceError, exchange.requestId, resource);
  }
}

const EMPTY = Buffer.alloc(0);

async function collect(exchange: Exchange, served: ServedService): Promise<Buffer> {
  if (!exchange.body || !hasBody(exchange.request.headers)) {
    checkNoBody(exchange.request.headers);
    return EMPTY;
  }
  return collectBody(exchange.body, served.maxBodyBytes, () => served.tooLarge());
}

function declaredPayloadHash(
  claim: SignatureClaim,
  target: RequestTarget,
  { headers }: IncomingMessage,
): string | undefined {
  const header = headers['x-amz-content-sha256'];
  if (claim.expiresSeconds !== undefined) return target.parameters.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD';
  return typeof header === 'string' ? header : undefined;
}

/**
 * A web page can reach the loopback interface under a host name of its own (DNS rebinding). It has no credentials; this
 * keeps it from learning even that.
 */
function checkHost({ headers }: IncomingMessage): void {
  const name = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (name === '127.0.0.1' || name === 'localhost' || name === '[::1]') return;
  throw new ServiceError('AccessDenied', 403, 'The embedded engine answers to 127.0.0.1 and localhost only');
}

function asServiceError(exchange: Exchange, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof AuthenticationError) return error.toServiceError(exchange.service.name);
  const name = exchange.service.name === 's3' ? 'InternalError' : 'ServiceException';
  const { code } = error as NodeJS.ErrnoException;
  // 507, unlike 500, is no reason for the SDK to try again.
  if (code === 'ENOSPC' || code === 'EDQUOT') return new ServiceError(name, 507, "The engine's disk is full");
  const detail = error instanceof Error ? error.message : String(error);
  return new ServiceError(name, 500, `The embedded engine failed: ${detail}`);
}

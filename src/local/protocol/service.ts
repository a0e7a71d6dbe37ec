import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ChecksumAlgorithm } from './checksum.js';

/** The wire protocols that the SDK's clients speak to us. */
export type Protocol = 'rest-json' | 'rest-xml' | 'json-1.1';

/** What a client package exports; schemas are the names that end in `$`. */
export type Schemas = Readonly<Record<string, unknown>>;

/**
 * One AWS service as the engine serves it: which protocol, the SDK's own schemas for it, and a function per operation.
 * An operation that the schemas know and this table does not is refused by name.
 */
export interface Service {
  readonly name: 's3' | 'lambda' | 'logs';
  readonly protocol: Protocol;
  /** The client package's schemas, loaded when the first request comes: `() => import('@aws-sdk/client-lambda')`. */
  readonly schemas: Schemas | (() => Promise<Schemas>);
  readonly operations: Readonly<Record<string, Operation>>;
  /** The longest body, in bytes, of an operation whose payload does not stream; default 8 MiB. */
  readonly maxBodyBytes?: number;
}

/**
 * One operation. Its input has the shape of the SDK command's input (a streaming payload is a Readable), its result the
 * shape of the command's output (a payload may be a Readable, a Buffer or a string; a stream of events is an AsyncIterable).
 */
// biome-ignore lint/suspicious/noExplicitAny: the schemas check inputs at run time; each operation declares the SDK's types
export type Operation = (input: any, context: OperationContext) => Promise<object> | object;

export interface OperationContext {
  readonly requestId: string;
  /** Aborted when the client went away. */
  readonly signal: AbortSignal;
  readonly region: string;
  readonly accountId: string;
  readonly endpoint: string;
  /** The raw request, for what schemas do not describe. The body has been consumed unless the payload streams. */
  readonly request: IncomingMessage;
  readonly body?: Readable;
  /** Checksums of the body that the client gave and that were right; complete once the body has been read. */
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
  /** Set to change the status of the reply, e.g. 202 or 206; the schema's own otherwise. */
  status?: number;
  /** Headers beside those that the schema binds. */
  readonly headers: Record<string, string>;
}

/** An error as AWS would send it: serialised by the protocol, thrown by the client as the exception of that name. */
export class ServiceError extends Error {
  override readonly name: string;
  readonly status: number;
  /** Members of the error's shape beside the message, e.g. `Reason`, and headers such as `Retry-After`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    name: string,
    status: number,
    message: string,
    options: { fields?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = name;
    this.status = status;
    this.fields = options.fields ?? {};
    this.headers = options.headers ?? {};
  }
}

/** The result of an operation that writes its document itself, where the schemas cannot or are too slow. */
export class RawReply {
  constructor(
    readonly body: string,
    readonly contentType: string,
  ) {}
}

import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { finished, Transform, type TransformCallback } from 'node:stream';
import { AwsChunkedDecoder, type ChunkSigner } from './aws-chunked.js';
import { type Checksum, type ChecksumAlgorithm, checksumHeader, createChecksum, declaredChecksum } from './checksum.js';
import { ServiceError } from './service.js';

const EMPTY_SHA256 = createHash('sha256').digest('hex');

export interface BodyOptions {
  /** Called once before the first byte is asked for: answers `Expect: 100-continue`. */
  readonly onStart?: () => void;
  /** For the signatures of chunks. */
  readonly signer?: ChunkSigner;
}

/**
 * A request's body without its transfer framing, verified as it passes: its stream fails, instead of ending, when length,
 * payload hash, MD5, checksum or a chunk's signature is not what the headers or trailers say.
 */
export class RequestBody extends Transform {
  /** Checksums that were given and are right; filled before the stream ends. */
  readonly checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
  /** Bytes of data so far. */
  length = 0;
  private started = false;
  private readonly decoder: AwsChunkedDecoder | undefined;
  private readonly checks: readonly Check[];

  constructor(
    private readonly request: IncomingMessage,
    private readonly options: BodyOptions = {},
  ) {
    super();
    // Whoever reads it sees its error; nobody may be reading any more.
    this.on('error', () => {});
    const { headers } = request;
    const mode = headers['x-amz-content-sha256'];
    const signed = typeof mode === 'string' && mode.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
    const chunked = signed || mode === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' || isAwsChunked(headers);
    this.decoder = chunked ? new AwsChunkedDecoder(signed ? options.signer : undefined) : undefined;
    this.checks = [
      ...lengthCheck(headers),
      ...payloadHashCheck(headers),
      ...md5Check(headers),
      ...this.checksumCheck(),
    ];
  }

  override _read(size: number): void {
    if (!this.started) {
      this.started = true;
      this.options.onStart?.();
      finished(this.request, { writable: false }, (error) => {
        if (error) this.destroy(error);
      });
      this.request.pipe(this);
    }
    super._read(size);
  }

  /** The connection outlives a body that nobody wants any more: the client is to read why. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.request.unpipe(this);
    this.request.resume();
    done(error);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      for (const data of this.decoder ? this.decoder.write(chunk) : [chunk]) {
        this.length += data.length;
        for (const check of this.checks) check.digest?.update(data);
        this.push(data);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.decoder?.end();
      for (const check of this.checks) check.verify(this);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  private checksumCheck(): Check[] {
    const declared = declaredChecksum(this.request.headers);
    if (!declared) return [];
    const { algorithm } = declared;
    const digest = createChecksum(algorithm);
    const verify = () => {
      const given = declared.value ?? this.decoder?.trailers.get(checksumHeader(algorithm));
      if (given === undefined) {
        throw new ServiceError(
          'MalformedTrailerError',
          400,
          'The request contained trailing data that was not well-formed',
        );
      }
      if (digest.digest().toString('base64') !== given) {
        const message = `The ${algorithm} you specified did not match the calculated checksum.`;
        throw new ServiceError('BadDigest', 400, message);
      }
      this.checksums[algorithm] = given;
    };
    return [{ digest, verify }];
  }
}

/** Something that a header says of the data. */
interface Check {
  readonly digest?: Checksum;
  verify(body: RequestBody): void;
}

function lengthCheck(headers: IncomingHttpHeaders): Check[] {
  const declared = headers['x-amz-decoded-content-length'];
  if (declared === undefined) return [];
  const verify = (body: RequestBody) => {
    if (String(body.length) === declared) return;
    const message = 'You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header';
    throw new ServiceError('IncompleteBody', 400, message);
  };
  return [{ verify }];
}

function payloadHashCheck(headers: IncomingHttpHeaders): Check[] {
  const given = headers['x-amz-content-sha256'];
  if (typeof given !== 'string' || !/^[0-9a-f]{64}$/.test(given)) return [];
  const digest = createHash('sha256');
  const verify = () => {
    if (digest.digest('hex') !== given) throw payloadHashMismatch();
  };
  return [{ digest, verify }];
}

function payloadHashMismatch(): ServiceError {
  const message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
  return new ServiceError('XAmzContentSHA256Mismatch', 400, message);
}

function md5Check(headers: IncomingHttpHeaders): Check[] {
  const given = headers['content-md5'];
  if (given === undefined) return [];
  if (typeof given !== 'string' || Buffer.from(given, 'base64').length !== 16) {
    throw new ServiceError('InvalidDigest', 400, 'The Content-MD5 you specified was invalid.');
  }
  const digest = createHash('md5');
  const verify = () => {
    if (digest.digest('base64') === given) return;
    throw new ServiceError('BadDigest', 400, 'The Content-MD5 you specified did not match what we received.');
  };
  return [{ digest, verify }];
}

/** Whether the body is framed, whatever other encodings it has. */
function isAwsChunked(headers: IncomingHttpHeaders): boolean {
  return (headers['content-encoding'] ?? '').split(',').some((coding) => coding.trim() === 'aws-chunked');
}

/** Whether there is anything to read, by the headers. */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Checks what can be said of a body that is not there. */
export function checkNoBody(headers: IncomingHttpHeaders): void {
  const given = headers['x-amz-content-sha256'];
  if (typeof given === 'string' && /^[0-9a-f]{64}$/.test(given) && given !== EMPTY_SHA256) throw payloadHashMismatch();
}

/** The whole body in memory. @throws ServiceError when it is longer than the limit, or not what its headers say */
export async function collectBody(body: RequestBody, maxBytes: number, tooLarge: () => ServiceError): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
    if (body.length > maxBytes) throw tooLarge();
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

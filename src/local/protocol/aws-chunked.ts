import { createHash, type Hash } from 'node:crypto';
import { ServiceError } from './service.js';

/** Continues the signature of a request over the chunks of its body (SigV4, "Signature calculations for chunked upload"). */
export interface ChunkSigner {
  /** The signature of the next chunk, given the SHA-256 of its data in hex. */
  chunk(payloadHash: string): string;
  /** The signature of the trailers, given the SHA-256 of their canonical form in hex. */
  trailer(trailerHash: string): string;
}

/** Longer than any real chunk header or trailer line; bounds what is kept while a line is incomplete. */
const MAX_LINE_BYTES = 4096;
const MAX_TRAILERS = 16;
const TRAILER_SIGNATURE = 'x-amz-trailer-signature';

type State = 'header' | 'data' | 'data-end' | 'trailer' | 'done';

/**
 * Takes the framing off a body with `Content-Encoding: aws-chunked`: `size[;chunk-signature=...]CRLF data CRLF`, a chunk
 * of size 0, then trailers. Chunk boundaries have nothing to do with those of the buffers that come from the socket.
 */
export class AwsChunkedDecoder {
  readonly trailers = new Map<string, string>();
  private state: State = 'header';
  private line: Buffer = Buffer.alloc(0);
  private remaining = 0;
  private expectedSignature: string | undefined;
  private chunkHash: Hash | undefined;

  /** @param signer - given when the chunks are signed: then every signature must be there and right */
  constructor(private readonly signer?: ChunkSigner) {}

  /** The data in these bytes. @throws ServiceError for a malformed body or a wrong signature */
  write(bytes: Buffer): Buffer[] {
    const data: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.state === 'data') {
        const part = bytes.subarray(at, at + this.remaining);
        at += part.length;
        this.remaining -= part.length;
        this.chunkHash?.update(part);
        data.push(part);
        if (this.remaining === 0) {
          this.closeChunk();
          this.state = 'data-end';
        }
        continue;
      }
      if (this.state === 'done') throw malformed('data after the last chunk');
      const feed = bytes.indexOf(0x0a, at);
      const end = feed < 0 ? bytes.length : feed + 1;
      this.line =
        this.line.length === 0 ? bytes.subarray(at, end) : Buffer.concat([this.line, bytes.subarray(at, end)]);
      at = end;
      if (this.line.length > MAX_LINE_BYTES) throw malformed('a line is too long');
      if (feed >= 0) this.endLine();
    }
    // What stays must not hold on to the socket's buffer.
    if (this.line.length > 0) this.line = Buffer.from(this.line);
    return data;
  }

  /** The body has ended. @throws ServiceError when that is too early */
  end(): void {
    // Some clients leave out the empty line after the last chunk when there are no trailers.
    const complete =
      this.state === 'done' || (this.state === 'trailer' && this.line.length === 0 && this.trailers.size === 0);
    if (!complete) {
      throw new ServiceError('IncompleteBody', 400, 'The request body terminated unexpectedly');
    }
  }

  private endLine(): void {
    const text = this.line.toString('latin1');
    this.line = Buffer.alloc(0);
    if (!text.endsWith('\r\n')) throw malformed('a line does not end in CRLF');
    const line = text.slice(0, -2);
    if (this.state === 'header') this.openChunk(line);
    else if (this.state === 'data-end') {
      if (line !== '') throw malformed('data goes on after the end of its chunk');
      this.state = 'header';
    } else this.addTrailer(line);
  }

  private openChunk(line: string): void {
    const header = /^([0-9a-fA-F]{1,13})(?:;chunk-signature=([0-9a-f]{64}))?\s*$/.exec(line);
    if (!header) throw malformed('not a chunk header');
    this.remaining = Number.parseInt(header[1] ?? '', 16);
    this.expectedSignature = header[2];
    if (this.signer) this.chunkHash = createHash('sha256');
    if (this.remaining > 0) {
      this.state = 'data';
      return;
    }
    this.closeChunk();
    this.state = 'trailer';
  }

  private closeChunk(): void {
    if (!this.signer || !this.chunkHash) return;
    const signature = this.signer.chunk(this.chunkHash.digest('hex'));
    if (signature !== this.expectedSignature) throw wrongSignature();
  }

  private addTrailer(line: string): void {
    if (line === '') {
      this.closeTrailers();
      this.state = 'done';
      return;
    }
    const colon = line.indexOf(':');
    if (colon <= 0 || this.trailers.size >= MAX_TRAILERS) throw malformed('not a trailer');
    this.trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }

  private closeTrailers(): void {
    const signature = this.trailers.get(TRAILER_SIGNATURE);
    this.trailers.delete(TRAILER_SIGNATURE);
    if (!this.signer || this.trailers.size === 0) return;
    const canonical = [...this.trailers].map(([name, value]) => `${name}:${value}\n`).join('');
    const expected = this.signer.trailer(createHash('sha256').update(canonical).digest('hex'));
    if (signature !== expected) throw wrongSignature();
  }
}

function malformed(detail: string): ServiceError {
  return new ServiceError('InvalidRequest', 400, `The body's aws-chunked encoding is malformed: ${detail}`);
}

function wrongSignature(): ServiceError {
  return new ServiceError(
    'SignatureDoesNotMatch',
    403,
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  );
}

import { BLOCK, corrupt, display, entryType, type RawHeader, readHeader, type TarEntry } from './header.js';
import { type PaxAttributes, parsePax, paxAttributes } from './pax.js';
import { checkSparse, OldSparseMap, PaxSparseMap } from './sparse.js';

/** What takes the entries of an archive, in order, synchronously. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** Content of the entry before; the buffer is only lent. */
  content(chunk: Buffer): void;
  /** The entry before is complete. */
  entryEnd(): void;
}

/** Long names and PAX headers above this are no names any more (Linux knows paths up to 4,096 bytes). */
const MAX_EXTENSION_BYTES = 1024 * 1024;
/** Zeros behind the end of an archive: tar pads to records of 10 KiB, some to more. The rest would be a bomb. */
const MAX_TRAILER_BYTES = 64 * 1024 * 1024;

/**
 * A tar reader that is fed chunks and calls its sink: ustar, PAX and GNU, as Go's archive/tar reads them, because that is
 * what every other container tool unpacks with, and what two readers take for different things can hide an attack.
 *
 * Ours and synchronous, because a promise or a stream per entry costs more than the entry itself.
 */
export class TarReader {
  readonly #sink: TarSink;
  /** What the bytes at hand are. */
  #state: State = 'header';
  /** Bytes of the current block, extension, content or padding that have not come yet. */
  #missing = BLOCK;
  /** A block or an extension that is cut by the border of a chunk. */
  #parts: Buffer[] = [];
  #zeroBlocks = 0;
  #trailerBytes = 0;
  #padding = 0;
  #header: RawHeader | undefined;
  #extension = '';
  #extensionBytes = 0;
  #pax: PaxAttributes = {};
  #longName: string | undefined;
  #longLink: string | undefined;
  #oldSparse: OldSparseMap | undefined;
  #paxSparse: PaxSparseMap | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes of the archive. Throws `image-corrupt` if they are none, and what the sink throws. */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const taken = Math.min(this.#missing, chunk.length - at);
      const piece = chunk.subarray(at, at + taken);
      at += taken;
      this.#missing -= taken;
      this.#take(piece);
    }
  }

  /** Whether the end of the archive has come; what follows is not looked at. */
  get ended(): boolean {
    return this.#state === 'trailer';
  }

  /**
   * Throws `image-corrupt` if the archive ends in the middle of an entry. It may end without its blocks of zeros, and without
   * the last padding: `umoci insert` writes such layers.
   */
  end(): void {
    const between = this.#state === 'header' && this.#missing === BLOCK && this.#header === undefined;
    const complete = between || this.#state === 'padding' || this.#state === 'trailer';
    if (!complete) throw corrupt('it ends in the middle of an entry');
  }

  /**
   * Leaves out what is left of the present entry's content, for who has the archive in a file: the bytes returned are to
   * be jumped over, not written. 0 where no content is.
   */
  skipContent(): number {
    if (this.#state !== 'content' && this.#state !== 'padding') return 0;
    let bytes = this.#missing;
    if (this.#state === 'content') {
      bytes += this.#padding;
      this.#sink.entryEnd();
    }
    this.#expect('header', BLOCK);
    return bytes;
  }

  #take(piece: Buffer): void {
    if (this.#state === 'content') {
      this.#sink.content(piece);
      if (this.#missing === 0) this.#endContent();
    } else if (this.#state === 'padding') {
      if (this.#missing === 0) this.#expect('header', BLOCK);
    } else if (this.#state === 'trailer') {
      this.#trailerBytes += piece.length;
      if (this.#trailerBytes > MAX_TRAILER_BYTES) throw corrupt('64 MiB and more follow its end');
    } else if (this.#missing > 0) {
      this.#parts.push(Buffer.from(piece));
    } else if (this.#parts.length === 0) {
      this.#takeWhole(piece);
    } else {
      const whole = Buffer.concat([...this.#parts, piece]);
      this.#parts = [];
      this.#takeWhole(whole);
    }
  }

  #takeWhole(block: Buffer): void {
    if (this.#state === 'header') this.#takeHeader(block);
    else if (this.#state === 'extension') this.#takeExtension(block);
    else if (this.#state === 'old-sparse') this.#takeOldSparse(block);
    else this.#takePaxSparse(block);
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#missing = bytes;
  }

  #takeHeader(block: Buffer): void {
    const header = readHeader(block);
    if (header === undefined) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#expect('trailer', Number.MAX_SAFE_INTEGER);
      else this.#expect('header', BLOCK);
      return;
    }
    if (this.#zeroBlocks > 0) throw corrupt('an entry follows a block of zeros');
    if ('xgLK'.includes(header.typeflag)) this.#startExtension(header);
    else this.#takeEntryHeader(header, block);
  }

  #takeEntryHeader(header: RawHeader, block: Buffer): void {
    this.#header = header;
    // What the extensions before it say holds from here, except for a name, which PAX and GNU could both give.
    Object.assign(header, {
      name: this.#longName ?? this.#pax.path ?? header.name,
      linkName: this.#longLink ?? this.#pax.linkPath ?? header.linkName,
      size: this.#pax.size ?? header.size,
      mtime: this.#pax.mtime ?? header.mtime,
    });
    if (header.typeflag === 'S') {
      if (!header.gnu) throw corrupt('a sparse file of GNU stands in another format');
      this.#oldSparse = new OldSparseMap(block);
    } else if (this.#pax.sparseMapInContent && entryType(header) === 'file') {
      this.#paxSparse = new PaxSparseMap();
    }
    if (this.#oldSparse?.wantsBlock) this.#expect('old-sparse', BLOCK);
    else if (this.#paxSparse) this.#expect('pax-sparse', BLOCK);
    else this.#startEntry();
  }

  #startExtension(header: RawHeader): void {
    this.#extensionBytes += header.size + BLOCK;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES) throw corrupt('more than 1 MiB of headers precede an entry');
    this.#extension = header.typeflag;
    this.#padding = (BLOCK - (header.size % BLOCK)) % BLOCK;
    if (header.size === 0) this.#takeExtension(Buffer.alloc(0));
    else this.#expect('extension', header.size);
  }

  #takeExtension(body: Buffer): void {
    // A global PAX header ("g") says nothing about a layer's entries to any container tool; git writes a comment there.
    if (this.#extension === 'x') this.#pax = paxAttributes(parsePax(body));
    if (this.#extension === 'L') this.#longName = untilNul(body);
    if (this.#extension === 'K') this.#longLink = untilNul(body);
    this.#expect(this.#padding > 0 ? 'padding' : 'header', this.#padding || BLOCK);
  }

  #takeOldSparse(block: Buffer): void {
    this.#oldSparse?.addBlock(block);
    if (this.#oldSparse?.wantsBlock) this.#expect('old-sparse', BLOCK);
    else this.#startEntry();
  }

  #takePaxSparse(block: Buffer): void {
    if (this.#paxSparse?.addBlock(block)) this.#startEntry();
    else this.#expect('pax-sparse', BLOCK);
  }

  #startEntry(): void {
    const header = this.#header;
    if (header === undefined) throw corrupt('an extension stands alone');
    const type = entryType(header);
    if (type === undefined) {
      throw corrupt(`${display(header.name)} has the type ${display(header.typeflag)}, which no layer may have`);
    }
    // Only files have content; others' sizes are to be ignored (POSIX), and Go's reader does.
    let size = type === 'file' ? header.size : 0;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    const sparse = this.#oldSparse?.map ?? (type === 'file' ? this.#pax.sparse : undefined);
    if (sparse) {
      if (this.#paxSparse) {
        size -= this.#paxSparse.bytes;
        sparse.segments = this.#paxSparse.segments();
      }
      checkSparse(sparse, size);
    }
    const { name, linkName, mode, mtime } = header;
    this.#sink.entry({ type, name, linkName, size, mode, mtime, ...(sparse && { sparse }) });
    this.#forget();
    if (size > 0) this.#expect('content', size);
    else this.#endContent();
  }

  #endContent(): void {
    this.#sink.entryEnd();
    this.#expect(this.#padding > 0 ? 'padding' : 'header', this.#padding || BLOCK);
  }

  /** Extensions hold for one entry. */
  #forget(): void {
    this.#header = undefined;
    this.#extensionBytes = 0;
    this.#pax = {};
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#oldSparse = undefined;
    this.#paxSparse = undefined;
  }
}

type State = 'header' | 'extension' | 'old-sparse' | 'pax-sparse' | 'content' | 'padding' | 'trailer';

/** A long name ends with a NUL that is not part of it. */
function untilNul(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString('latin1', 0, end < 0 ? body.length : end);
}

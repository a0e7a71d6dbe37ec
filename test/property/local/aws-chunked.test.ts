import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AwsChunkedDecoder } from '../../../src/local/protocol/aws-chunked.js';

const encode = (chunks: readonly Uint8Array[], trailers: readonly (readonly [string, string])[]) =>
  Buffer.concat([
    ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    Buffer.from('0\r\n'),
    ...trailers.map(([name, value]) => Buffer.from(`${name}:${value}\r\n`)),
    Buffer.from('\r\n'),
  ]);

/** Cuts a body at the given places, as a socket may. */
function cut(body: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (body.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => body.subarray(from, sorted[index] ?? body.length));
}

function decode(pieces: readonly Buffer[]) {
  const decoder = new AwsChunkedDecoder();
  const data = Buffer.concat(pieces.flatMap((piece) => decoder.write(piece)));
  decoder.end();
  return { data, trailers: [...decoder.trailers] };
}

const chunk = fc.uint8Array({ minLength: 1, maxLength: 300 });
const trailer = fc.tuple(fc.constantFrom('x-amz-checksum-crc32', 'x-amz-checksum-sha256'), fc.base64String());
const places = fc.array(fc.nat({ max: 10_000 }), { maxLength: 30 });

describe('aws-chunked', () => {
  it('is decoded however it arrives', () => {
    const trailers = fc.uniqueArray(trailer, { maxLength: 2, selector: ([name]) => name });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), trailers, places, (chunks, given, at) => {
        const { data, trailers: found } = decode(cut(encode(chunks, given), at));
        expect(data.equals(Buffer.concat(chunks))).toBe(true);
        expect(found).toEqual(given);
      }),
    );
  });

  it('is refused when any of its end is missing', () => {
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 4 }), fc.nat(), (chunks, missing) => {
        const whole = encode(chunks, [['x-amz-checksum-crc32', 'AAAAAA==']]);
        // Behind the last chunk's own line, an end without trailers would be a whole body.
        const lastChunk = whole.length - 'x-amz-checksum-crc32:AAAAAA==\r\n\r\n'.length;
        const length = missing % (whole.length - 1);
        fc.pre(length !== lastChunk);
        expect(() => decode([whole.subarray(0, length)])).toThrow(expect.objectContaining({ name: 'IncompleteBody' }));
      }),
    );
  });

  it('never takes anything else for a body, nor fails in another way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), places, (bytes, at) => {
        try {
          const { data } = decode(cut(Buffer.from(bytes), at));
          expect(data.length).toBeLessThan(bytes.length);
        } catch (error) {
          expect(error).toMatchObject({ status: 400 });
        }
      }),
    );
  });

  it.each([
    ['no size', 'x\r\n'],
    ['a size that is too long', `${'f'.repeat(20)}\r\n`],
    ['a negative size', '-1\r\n'],
    ['a line feed alone', '1\na\n0\n\n'],
    ['data that is longer than its size', '1\r\nab\r\n0\r\n\r\n'],
    ['data behind the end', '0\r\n\r\nx'],
    ['a trailer without a name', '0\r\n:x\r\n\r\n'],
    ['a line without an end', `1;${'x'.repeat(5000)}`],
  ])('refuses %s', (_, body) => {
    expect(() => decode([Buffer.from(body)])).toThrow(expect.objectContaining({ name: 'InvalidRequest' }));
  });
});

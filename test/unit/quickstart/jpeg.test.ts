import { describe, expect, it } from 'vitest';
import { readJpegHeader } from '../../../docs/examples/quickstart/jpeg.mjs';

/** A file of segments: marker and content; the length is filled in. */
function jpeg(...segments: [number, number[]][]): Uint8Array {
  const body = segments.flatMap(([marker, content]) => {
    const length = content.length + 2;
    return [0xff, marker, length >> 8, length & 0xff, ...content];
  });
  return Uint8Array.from([0xff, 0xd8, ...body, 0xff, 0xd9]);
}

/** Frame header of a picture of 640x480. */
const frame = (components: number) => [8, 0x01, 0xe0, 0x02, 0x80, components, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1];

describe('readJpegHeader', () => {
  it.each([
    ['baseline, gray', 0xc0, 1],
    ['progressive, coloured', 0xc2, 3],
  ])('reads %s', (_, marker, components) => {
    const file = jpeg([0xe0, [1, 2, 3]], [marker, frame(components)]);
    expect(readJpegHeader(file)).toEqual({ width: 640, height: 480, components });
  });

  it('does not take a Huffman table for a frame', () => {
    expect(readJpegHeader(jpeg([0xc4, frame(3)], [0xc0, frame(1)])).components).toBe(1);
  });

  it('reads a view into a larger buffer', () => {
    const file = jpeg([0xc0, frame(1)]);
    const buffer = new Uint8Array(file.length + 8);
    buffer.set(file, 8);
    expect(readJpegHeader(buffer.subarray(8)).width).toBe(640);
  });

  it.each([
    ['a PNG', Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), /does not begin/],
    ['an empty file', new Uint8Array(0), /does not begin/],
    ['a file that was cut off', jpeg([0xc0, frame(1)]).subarray(0, 12), /does not end/],
    ['a file without a frame', jpeg([0xe0, [1, 2, 3, 4, 5, 6, 7, 8, 9]]), /no frame header|no marker/],
  ])('refuses %s', (_, file, message) => expect(() => readJpegHeader(file)).toThrow(message));
});
